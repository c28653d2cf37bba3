package normalize_test

import (
	"testing"

	"pgregory.net/rapid"

	"muster/normalize"
)

func TestIDKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ kind, value, want string }{
		{"email", " Jane@ACME.example ", "jane@acme.example"},
		{"email", "jane@MÜNCHEN.example", "jane@xn--mnchen-3ya.example"},
		{"username", "Jane", "jane"},
		{"username", "ΟΔΥΣΣΕΥΣ", "οδυσσευσ"},
		{"username", "Οδυσσεύς", "οδυσσεύσ"}, // ς is σ
		{"username", "Straße", "straße"},
		{"username", "\u212Aarl", "karl"}, // the Kelvin sign is K in NFC
		{"username", "İsmail", "İsmail"},  // its small letter is another's
		{"username", "Joſeph", "Joſeph"},  // is not Joseph
		{"username", "ᏣᎳᎩ", "ꮳꮃꭹ"},
		{"csp", "VMware.com:1F0C", "VMware.com:1F0C"},
		{"oid", "0D2F6C1E-7A0B-4A55-9F0C-2F0F4C5B8A11", "0d2f6c1e-7a0b-4a55-9f0c-2f0f4c5b8a11"},
	} {
		if got := normalize.IDKey(tt.kind, tt.value); got != tt.want {
			t.Errorf("%s %q: %q, not %q", tt.kind, tt.value, got, tt.want)
		}
	}
}

// Keys are one exactly where identifiers are, and a key is its own.
func TestIDKeyIsSameID(t *testing.T) {
	t.Parallel()
	letters := rapid.StringOfN(rapid.RuneFrom([]rune("aAsSſßẞkK\u212AiIİıσΣςéÉe\u0301ǅǆǄᏣꮳ @.1")), 0, 6, -1)
	rapid.Check(t, func(r *rapid.T) {
		kind := rapid.SampledFrom([]string{"email", "username", "oid", "csp"}).Draw(r, "kind")
		a, b := letters.Draw(r, "a"), letters.Draw(r, "b")
		key := normalize.IDKey(kind, a)
		if same := normalize.SameID(kind, a, b); same != (key == normalize.IDKey(kind, b)) {
			r.Fatalf("%s: %q and %q: SameID %v, keys %q and %q", kind, a, b, same, key, normalize.IDKey(kind, b))
		}
		if again := normalize.IDKey(kind, key); again != key {
			r.Fatalf("%s: the key of %q is %q, and of that %q", kind, a, key, again)
		}
	})
}
