package adapters

import "log/slog"

// masked is what every printed form of a Secret says.
const masked = "<secret>"

// Secret is a text that prints as <secret> wherever it is printed: in a log, an
// error, JSON or YAML. Only Reveal gives it out.
type Secret struct{ value string }

// NewSecret wraps a text.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal is the text itself. Call it where it is sent, and nowhere else.
func (s Secret) Reveal() string { return s.value }

// String hides the text.
func (s Secret) String() string { return masked }

// GoString hides the text from %#v.
func (s Secret) GoString() string { return masked }

// MarshalText hides the text from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue hides the text from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// Settings are what a deployment fills in under `with`, by name. All of them
// are held as secrets: which of them really are is the definition's to say, and
// none has to be printed.
type Settings map[string]Secret
