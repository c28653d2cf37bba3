package normalize

import (
	"strings"
	"unicode"
)

// MaxIdentifier is how long an identifier may be, in bytes: an e-mail address has
// at most 254 (RFC 5321), and nobody's own key is longer than this.
const MaxIdentifier = 512

// IDKey is an identifier as it is looked for: two identifiers of a kind have one
// key exactly when SameID says that they are one.
func IDKey(kind, value string) string {
	value = CanonicalID(kind, value)
	if kind != "email" && kind != "username" || strings.Contains(value, longS) {
		return value
	}
	return strings.Map(foldCase, value)
}

// foldCase is one letter for all that differ by case alone, a small one where
// there is one: strings.ToLower knows no more than pairs (σ and ς stay two).
func foldCase(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	for next := unicode.SimpleFold(least); next != least; next = unicode.SimpleFold(next) {
		if next == unicode.ToLower(least) {
			return next
		}
	}
	return least
}
