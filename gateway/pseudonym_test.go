package gateway_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"muster/gateway"
	"muster/normalize"
)

// testKey is of the pseudonyms in tests.
func testKey() []byte { return []byte(strings.Repeat("k", gateway.MinPseudonymKey)) }

// TestPseudonym: the form, and how it is made, so that whoever has the key can make it
// without this program.
func TestPseudonym(t *testing.T) {
	t.Parallel()
	by := func(parts ...string) []byte {
		h := hmac.New(sha256.New, testKey())
		for _, part := range parts {
			_, _ = h.Write(append([]byte{byte(len(part))}, part...))
		}
		return h.Sum(nil)
	}
	p := gateway.NewPseudonyms(testKey())
	id := hex.EncodeToString(by("key")[:4])
	for what, pair := range map[string][2]string{
		"the key":  {p.KeyID(), id},
		"a person": {p.Person("acme", "email", "Jane@Acme.Example"), id + "." + hex.EncodeToString(by("person", "acme", "email", "jane@acme.example")[:16])},
		"a caller": {p.Caller("https://login.example/", "jane"), id + "." + hex.EncodeToString(by("caller", "https://login.example/", "jane")[:16])},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
}

// TestWhoIsCalledTheSame: one person however their identifier is written, and nobody else.
func TestWhoIsCalledTheSame(t *testing.T) {
	t.Parallel()
	p := gateway.NewPseudonyms(testKey())
	jane := p.Person("acme", "email", "jane@acme.example")
	other := gateway.NewPseudonyms([]byte(strings.Repeat("K", gateway.MinPseudonymKey)))
	for _, test := range []struct {
		name string
		is   string
		same bool
	}{
		{"upper case", p.Person("acme", "email", "JANE@ACME.EXAMPLE"), true},
		{"spaces around", p.Person("acme", "email", " jane@acme.example "), true},
		{"another person", p.Person("acme", "email", "john@acme.example"), false},
		{"another kind", p.Person("acme", "username", "jane@acme.example"), false},
		{"another tenant", p.Person("globex", "email", "jane@acme.example"), false},
		{"another key", other.Person("acme", "email", "jane@acme.example"), false},
		{"a caller", p.Caller("acme", "jane@acme.example"), false},
		{"a random key", gateway.RandomPseudonyms().Person("acme", "email", "jane@acme.example"), false},
	} {
		if (test.is == jane) != test.same {
			t.Errorf("%s: %q and %q", test.name, test.is, jane)
		}
	}
	if p.Person("a", "bc", "d") == p.Person("ab", "c", "d") || p.Person("a", "b", "cd") == p.Person("a", "bc", "d") {
		t.Error("parts run into each other")
	}
	if p.Person("acme", "badge", "A1") == p.Person("acme", "badge", "a1") {
		t.Error("two badges are one")
	}
	if none := (*gateway.Pseudonyms)(nil).Person("acme", "email", "jane@acme.example"); none != "" {
		t.Errorf("without a key: %q", none)
	}
}

// TestPseudonymsAndIdentity: two identifiers have one pseudonym exactly where the gateway
// takes them for one, whatever they hold; also from several goroutines.
func TestPseudonymsAndIdentity(t *testing.T) {
	t.Parallel()
	p := gateway.NewPseudonyms(testKey())
	form := regexp.MustCompile(`^[0-9a-f]{8}\.[0-9a-f]{32}$`)
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"email", "username", "oid", "badge"}).Draw(t, "kind")
		value := rapid.StringMatching(`[a-zA-ZſKİıßéÉ@. ]{1,12}`)
		a := value.Draw(t, "a")
		b := rapid.OneOf(value, rapid.SampledFrom([]string{a, strings.ToUpper(a), strings.ToLower(a), " " + a})).Draw(t, "b")
		if !form.MatchString(p.Person("acme", kind, a)) {
			t.Fatalf("%q", p.Person("acme", kind, a))
		}
		if same := p.Person("acme", kind, a) == p.Person("acme", kind, b); same != normalize.SameID(kind, a, b) {
			t.Fatalf("%s %q and %q: one pseudonym %v", kind, a, b, same)
		}
	})
	want := p.Person("acme", "username", "jane")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if got := p.Person("acme", "username", "jane"); got != want {
					t.Errorf("%q, want %q", got, want)
				}
			}
		})
	}
	all.Wait()
}
