package adapters

import (
	"fmt"
	"io"
	"log/slog"
)

// masked is what every printed form of a Secret says.
const masked = "<secret>"

// Secret is a text that prints as <secret> wherever it is printed: in a log, an
// error, JSON or YAML. Only Reveal gives it out. The zero value is an empty one.
type Secret struct {
	// Behind a pointer, because fmt asks no method of a member that is not
	// exported: of a struct that holds a Secret so, an address is printed.
	value *string
}

// NewSecret wraps a text.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal is the text itself. Call it where it is sent, and nowhere else.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String hides the text.
func (s Secret) String() string { return masked }

// Format hides the text from every verb: %d and the like ask no String.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// MarshalText hides the text from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue hides the text from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// Settings are what a deployment fills in under `with`, by name. All of them
// are held as secrets: which of them really are is the definition's to say, and
// none has to be printed.
type Settings map[string]Secret
