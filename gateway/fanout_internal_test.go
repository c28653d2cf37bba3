package gateway

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"muster/adapters"
)

// TestRecordKey: two keys are one exactly when the same source is asked in the
// same way for the same person of the same tenant. The parts run into one another
// wherever they are put together with too little care.
func TestRecordKey(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{"a", "b", ":", "a:b", "id", "tenant", "\x01", "\x01a"})
	values := rapid.MapOfN(part, part, 0, 2)
	type asking struct {
		tenant string
		step   *step
	}
	askings := rapid.Custom(func(r *rapid.T) asking {
		ids := values.Draw(r, "ids")
		var caller *adapters.Caller
		if rapid.Bool().Draw(r, "with a caller") {
			caller = &adapters.Caller{Issuer: part.Draw(r, "issuer"), Subject: part.Draw(r, "subject"), Token: adapters.NewSecret(part.Draw(r, "token"))}
		}
		return asking{part.Draw(r, "tenant"), &step{
			source: &Source{Name: part.Draw(r, "source"), Hash: part.Draw(r, "hash")},
			query:  adapters.Query{Tenant: values.Draw(r, "values"), IDs: ids, Caller: caller},
			used:   rapid.Permutation(slices.Sorted(maps.Keys(ids))).Draw(r, "used"),
		}}
	})
	inFull := func(a asking) string { // the order of the kinds says nothing
		caller := ""
		if c := a.step.query.Caller; c != nil { // whichever token they have
			caller = fmt.Sprintf("%q %q", c.Issuer, c.Subject)
		}
		return fmt.Sprintf("%q %q %q %q %q %s", a.tenant, a.step.source.Name, a.step.source.Hash, a.step.query.Tenant, a.step.query.IDs, caller)
	}
	rapid.Check(t, func(r *rapid.T) {
		// One differs from the other in one part at most, or they would hardly ever meet.
		one := askings.Draw(r, "one")
		other := askings.Draw(r, "other")
		changed := asking{one.tenant, &step{source: &Source{Name: one.step.source.Name, Hash: one.step.source.Hash}, query: one.step.query, used: slices.Clone(one.step.used)}}
		switch rapid.IntRange(0, 7).Draw(r, "change") {
		case 0:
			changed.tenant = other.tenant
		case 1:
			changed.step.source.Name = other.step.source.Name
		case 2:
			changed.step.source.Hash = other.step.source.Hash
		case 3:
			changed.step.query.Tenant = other.step.query.Tenant
		case 4:
			changed.step.query.IDs, changed.step.used = other.step.query.IDs, other.step.used
		case 5:
			slices.Reverse(changed.step.used)
		case 6:
			changed.step.query.Caller = other.step.query.Caller
		default:
			changed = other
		}
		same := inFull(one) == inFull(changed)
		if (recordKey(one.tenant, one.step) == recordKey(changed.tenant, changed.step)) != same {
			r.Fatalf("%s and %s have the same key: %t", inFull(one), inFull(changed), !same)
		}
	})
	// What the source is not asked with is no part of its answer.
	s := step{source: &Source{Name: "a"}, query: adapters.Query{IDs: map[string]string{"username": "jane", "badge": "7"}}, used: []string{"username"}}
	key := recordKey("acme", &s)
	s.query.IDs = map[string]string{"username": "jane"}
	if key != recordKey("acme", &s) {
		t.Error("an identifier that nobody is asked with makes another key")
	}

	for _, pair := range [][2]asking{
		{{"a:b", &step{source: &Source{Name: "c"}}}, {"a", &step{source: &Source{Name: "b:c"}}}},
		{{"a", &step{source: &Source{Name: "b:c"}}}, {"a", &step{source: &Source{Name: "b", Hash: "c:"}}}},
		{
			{"a", &step{source: &Source{}, query: adapters.Query{Tenant: map[string]string{"x": "y"}}}},
			{"a", &step{source: &Source{}, query: adapters.Query{IDs: map[string]string{"x": "y"}}, used: []string{"x"}}},
		},
		{
			{"a", &step{source: &Source{}, query: adapters.Query{IDs: map[string]string{"x": "y:id:z"}}, used: []string{"x"}}},
			{"a", &step{source: &Source{}, query: adapters.Query{IDs: map[string]string{"x:y": "id:z"}}, used: []string{"x:y"}}},
		},
	} {
		if recordKey(pair[0].tenant, pair[0].step) == recordKey(pair[1].tenant, pair[1].step) {
			t.Errorf("%s and %s have one key", inFull(pair[0]), inFull(pair[1]))
		}
	}
}
