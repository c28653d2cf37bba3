package cache

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Key names a value. It is comparable, and two keys are equal exactly when they
// were built from the same parts in the same order. It prints as <key>: its
// parts may be about a person.
type Key struct{ parts string }

// NewKey builds a key. Each part is written with its length before it, so that
// ("a:b", "c") and ("a", "b:c") are two keys, whatever the parts hold.
func NewKey(parts ...string) Key {
	size := 0
	for _, part := range parts {
		size += binary.MaxVarintLen16 + len(part)
	}
	var b strings.Builder
	b.Grow(size)
	var length [binary.MaxVarintLen64]byte
	for _, part := range parts {
		b.Write(length[:binary.PutUvarint(length[:], uint64(len(part)))])
		b.WriteString(part)
	}
	return Key{b.String()}
}

// Format prints <key> for every verb. A String method would leave %#v and %d
// to show the parts.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "<key>") }
