package links_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"muster/gateway/links"
	"muster/gateway/links/linkstest"
)

// BenchmarkFind looks one of 10,000 people up, by one of four identifiers.
func BenchmarkFind(b *testing.B) {
	eachBench(b, func(b *testing.B, address string) {
		s := open(b, address)
		put(b, s, crowd(10_000), links.Import{})
		b.ResetTimer()
		b.Run("alone", func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				if found(b, s, "acme", "email", fmt.Sprintf("p%d@x.example", n%10_000)) == nil {
					b.Fatal("not found")
				}
			}
		})
		b.Run("together", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for n := 0; pb.Next(); n++ {
					if found(b, s, "acme", "email", fmt.Sprintf("p%d@x.example", n%10_000)) == nil {
						b.Error("not found")
					}
				}
			})
		})
	})
}

// BenchmarkImport puts 100,000 people with four identifiers each into an empty table.
func BenchmarkImport(b *testing.B) {
	people := crowd(100_000)
	eachBench(b, func(b *testing.B, address string) {
		for b.Loop() {
			put(b, open(b, address), people, links.Import{})
		}
	})
}

func crowd(n int) []links.Person {
	people := make([]links.Person, n)
	for i := range people {
		people[i] = person("acme", ids{"email": fmt.Sprintf("p%d@x.example", i), "username": fmt.Sprintf("p%d", i), "numium": fmt.Sprint(i), "csp": fmt.Sprintf("vmware.com:%032x", i)})
	}
	return people
}

func eachBench(b *testing.B, bench func(b *testing.B, address string)) {
	b.Run("sqlite", func(b *testing.B) { bench(b, "sqlite:"+filepath.Join(b.TempDir(), "links.db")) })
	b.Run("postgres", func(b *testing.B) { bench(b, linkstest.Start(b).Database()) })
}
