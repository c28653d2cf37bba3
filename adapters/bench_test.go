package adapters_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"muster/adapters"
	"muster/adapters/catalog"
	"muster/config/document"
	"muster/normalize"
)

// roundTrip is a function for a connection; a wire would remember every request.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// BenchmarkReply reads a reply of each definition of the catalogue: its own first
// sample. Decode is the reading of JSON, map what the definition makes of it, and
// fetch a whole call over a connection that costs nothing.
func BenchmarkReply(b *testing.B) {
	for _, name := range catalog.Names() {
		var problems document.Problems
		resolved := adapters.Resolve(name, catalog.Library(&problems))
		sample := resolved.Own.Field("tests").Items()[0]
		body, err := sample.Field("reply").Field("json").JSON()
		if err != nil {
			b.Fatal(err)
		}
		var compiler normalize.Compiler
		mapping := compiler.Mapping(resolved.Merged.Field("profile"), resolved.Merged.Field("ids"))
		var data normalize.Paths
		if n := resolved.Merged.Field("response").Field("data"); n != nil {
			data = compiler.Paths(n)
		}
		definition := adapters.Compile(resolved)
		if err := problems.Err(); err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := normalize.ParseJSON(body); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/map", func(b *testing.B) {
			body := tree(b, string(body))
			record, ok := data.First(normalize.At(body))
			if !ok {
				record = body // without `data` the body is the record
			}
			now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := mapping.Apply(&normalize.Scope{Status: 200, Body: body, Data: record}, now); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/fetch", func(b *testing.B) {
			source := definition.Bind(name, settingsOf(definition), adapters.DefaultLimits(), nil, authless{roundTrip(func(r *http.Request) (*http.Response, error) {
				return response(r, 200, string(body)), nil
			})})
			query := adapters.Query{IDs: texts(sample.Field("with").Field("id")), Tenant: texts(sample.Field("with").Field("tenant"))}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := source.Fetch(context.Background(), query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkShares holds what a lookup costs against the reading of the replies: for
// the six definitions of the seeds, and for a lookup that asks all. All are
// measured in the same run, in turn, and of each the fastest turn counts, so that
// a busy machine spoils none. json/read is what encoding/json takes for the reading.
func BenchmarkShares(b *testing.B) {
	const turn = 8
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	names := []string{"numium", "csp", "kobil", "kobil-shift", "aveva", "itwin"}
	var all []seed
	var parts []normalize.Part
	for _, name := range names {
		s := seedOf(b, name, now)
		all, parts = append(all, s), append(parts, s.part)
	}
	share := func(b *testing.B, seeds []seed, parts []normalize.Part) {
		works := []struct {
			name string
			do   func()
			best time.Duration
		}{
			{name: "read", do: func() {
				for _, s := range seeds {
					_, _ = normalize.ParseJSON(s.body)
				}
			}},
			{name: "json", do: func() {
				for _, s := range seeds {
					var tree any
					_ = json.Unmarshal(s.body, &tree)
				}
			}},
			{name: "map", do: func() {
				for _, s := range seeds {
					_, _, _ = s.mapping.Apply(s.scope, now)
				}
			}},
			{name: "merge", do: func() { normalize.Merge(normalize.Rules{Order: names}, parts, now) }},
		}
		for b.Loop() {
			for i := range works {
				start := time.Now()
				for range turn {
					works[i].do()
				}
				if took := time.Since(start) / turn; works[i].best == 0 || took < works[i].best {
					works[i].best = took
				}
			}
		}
		b.ReportMetric(0, "ns/op") // of no one of them
		for _, w := range works {
			b.ReportMetric(float64(w.best.Nanoseconds()), w.name+"-ns")
			b.ReportMetric(testing.AllocsPerRun(8, w.do), w.name+"-allocs")
			if w.name != "read" {
				b.ReportMetric(float64(w.best)/float64(works[0].best), w.name+"/read")
			}
		}
	}
	for i, name := range names {
		b.Run(name, func(b *testing.B) { share(b, all[i:i+1], parts[i:i+1]) })
	}
	b.Run("all", func(b *testing.B) { share(b, all, parts) })
}

// seed is a definition of the catalog with the reply of its first test.
type seed struct {
	body    []byte
	mapping *normalize.Mapping
	scope   *normalize.Scope
	part    normalize.Part
}

func seedOf(b *testing.B, name string, now time.Time) seed {
	b.Helper()
	var problems document.Problems
	resolved := adapters.Resolve(name, catalog.Library(&problems))
	body, err := resolved.Own.Field("tests").Items()[0].Field("reply").Field("json").JSON()
	if err != nil {
		b.Fatal(err)
	}
	var compiler normalize.Compiler
	mapping := compiler.Mapping(resolved.Merged.Field("profile"), resolved.Merged.Field("ids"))
	record := tree(b, string(body))
	scope := &normalize.Scope{Status: 200, Body: record, Data: record}
	if n := resolved.Merged.Field("response").Field("data"); n != nil {
		if at, ok := compiler.Paths(n).First(normalize.At(record)); ok {
			scope.Data = at
		}
	}
	if err := problems.Err(); err != nil {
		b.Fatal(err)
	}
	mapped, _, err := mapping.Apply(scope, now)
	if err != nil {
		b.Fatal(err)
	}
	return seed{body: body, mapping: mapping, scope: scope, part: normalize.Part{Source: name, Record: mapped}}
}

// texts is a mapping of texts; a nil node has none.
func texts(n *document.Node) map[string]string {
	all := map[string]string{}
	if n != nil {
		for _, f := range n.Fields() {
			all[f.Key.Text()] = f.Value.Text()
		}
	}
	return all
}
