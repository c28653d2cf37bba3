package adapters_test

import (
	"context"
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
