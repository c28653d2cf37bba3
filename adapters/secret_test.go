package adapters_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"muster/adapters"
)

func TestASecretNeverPrints(t *testing.T) {
	const canary = "hunter2-canary"
	secret := adapters.NewSecret(canary)
	holders := map[string]any{
		"itself":             secret,
		"a pointer":          &secret,
		"in a struct":        struct{ S adapters.Secret }{secret},
		"in a hidden member": struct{ s adapters.Secret }{secret},
		"in a list":          []adapters.Secret{secret},
		"in a map":           adapters.Settings{"token": secret},
		"in an interface":    []any{secret, &secret},
		"the zero secret":    adapters.Secret{},
	}
	for name, holder := range holders {
		t.Run(name, func(t *testing.T) {
			printed := map[string]string{}
			for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d %t %T %p %e %g %b %o %c %U %10v %-5s %+q %08d %w") {
				printed[verb] = fmt.Sprintf(verb, holder)
			}
			printed["Sprint"] = fmt.Sprint(holder)
			printed["Errorf"] = fmt.Errorf("wrong: %v", holder).Error()
			for _, marshal := range []func(any) ([]byte, error){json.Marshal, func(v any) ([]byte, error) { return yaml.Marshal(v) }} {
				if text, err := marshal(holder); err == nil {
					printed["marshalled "+string(text)] = string(text)
				}
			}
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("said", "holder", holder)
			slog.New(slog.NewJSONHandler(&log, nil)).Info("said", "holder", holder)
			printed["slog"] = log.String()
			for verb, text := range printed {
				for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("%d", []byte(canary))} {
					if strings.Contains(text, form) {
						t.Errorf("%s prints %s", verb, text)
					}
				}
			}
		})
	}
}

func TestASecretPrintsAsOne(t *testing.T) {
	secret := adapters.NewSecret("hunter2")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		expect(t, verb, fmt.Sprintf(verb, secret), "<secret>")
	}
	expect(t, "String", secret.String(), "<secret>")
	expect(t, "JSON", asJSON(t, map[string]any{"token": secret}), `{"token":"<secret>"}`)
	text, err := yaml.Marshal(map[string]any{"token": secret})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "YAML", string(text), "token: <secret>\n")
	expect(t, "slog", secret.LogValue().String(), "<secret>")
	expect(t, "revealed", secret.Reveal(), "hunter2")
	expect(t, "the zero secret", adapters.Secret{}.Reveal(), "")
}
