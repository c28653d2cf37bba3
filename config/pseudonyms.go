package config

import (
	"muster/config/document"
	"muster/gateway"
)

// concealKey keeps the key of pseudonyms out of every message.
func concealKey(root *document.Node) {
	if n := telemetryKey(root); n.Kind() == document.Scalar && !isReference(n) {
		n.Conceal()
	}
}

func telemetryKey(root *document.Node) *document.Node { return root.Field("telemetry").Field("key") }

// bindKey makes pseudonyms of their key, if there is one and it is on this machine. It is
// no part of Static, though `telemetry` is: a key that changes is in force by a reload.
func (f *File) bindKey() {
	n := f.dynamic.key
	if n == nil {
		if f.Static.Audit != nil || f.Static.Telemetry.OTLP != "" {
			f.Notes = append(f.Notes, "without `telemetry.key` people have other hashes in traces, the log and audit records after each start, and on each gateway: nobody can tell later whose they were")
		}
		return
	}
	key, ok := f.secrets.resolve(n)
	if !ok {
		return
	}
	if size := len(key.Reveal()); size < gateway.MinPseudonymKey {
		n.Errorf("the key has %d bytes: whoever has a hash could try all that are so short", size).
			Suggest("%d bytes or more, for example of: openssl rand -hex %d", gateway.MinPseudonymKey, gateway.MinPseudonymKey)
		return
	}
	f.pseudonyms = gateway.NewPseudonyms([]byte(key.Reveal()))
}

// goOnWith takes over the key of this process, where neither file has one.
func (f *File) goOnWith(before *File) {
	switch {
	case f.pseudonyms != nil:
	case before != nil && before.dynamic.key == nil && before.pseudonyms != nil:
		f.pseudonyms = before.pseudonyms
	default:
		f.pseudonyms = gateway.RandomPseudonyms()
	}
}

// Naming is what people are called by a gateway's file, and how they are written there.
type Naming struct {
	Pseudonyms *gateway.Pseudonyms // nil where the file has no key
	Tenants    map[string]*gateway.Tenant
	Accept     []string // kinds of identifiers
}

// LoadNaming reads a gateway's file for what people are called. Of its secrets the key of
// pseudonyms alone has to be on this machine. Its error is the one of Load.
func LoadNaming(path string) (Naming, error) {
	problems := new(document.Problems)
	file, err := loadElsewhere(path, problems)
	if err != nil {
		return Naming{}, err
	}
	if file.dynamic.key != nil && file.pseudonyms == nil {
		here := secrets{files: file.files}
		here.resolve(file.dynamic.key) // which says what is missing
		return Naming{}, problems.Err()
	}
	return Naming{file.pseudonyms, file.tenants, file.accept}, nil
}
