package normalize

import (
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A list without repeats is what comparing each with all of the others makes of it.
func TestDistinctIsWhatComparingAllMakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.Custom(func(t *rapid.T) Role {
			r := Role{
				Value: rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"}).Draw(t, "value"),
				Scope: rapid.SampledFrom([]string{"", "", "x", "y"}).Draw(t, "scope"),
				Type:  rapid.SampledFrom([]string{"", "z"}).Draw(t, "type"),
			}
			if rapid.Bool().Draw(t, "until") {
				r.ExpiresAt = time.Unix(rapid.Int64Range(1, 3).Draw(t, "at"), 0)
			}
			return r
		})
		var got, want []Role
		all := itemsOf(&got)
		for _, role := range rapid.SliceOfN(one, 0, 100).Draw(t, "roles") {
			add(all, role)
			if !slices.ContainsFunc(indices(want), func(i int) bool {
				return all.absorb(reflect.ValueOf(&want[i]).Elem(), reflect.ValueOf(role))
			}) {
				want = append(want, role)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		var got textSet
		var want []string
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 40), 0, 100).Draw(t, "texts") {
			text := strconv.Itoa(n)
			if n == 0 {
				text = ""
			}
			got.add(text)
			if text != "" && !slices.Contains(want, text) {
				want = append(want, text)
			}
		}
		if diff := cmp.Diff(want, got.list); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func indices[E any](list []E) []int {
	all := make([]int, len(list))
	for i := range all {
		all[i] = i
	}
	return all
}

func TestDistinctAddresses(t *testing.T) {
	var got []Address
	all := itemsOf(&got)
	for i := range 200 {
		add(all, Address{Locality: strconv.Itoa(i % 50), Country: "DE"})
	}
	if len(got) != 50 {
		t.Errorf("%d addresses, want 50", len(got))
	}
}

func itemsOf[E any](list *[]E) *items {
	return &items{list: reflect.ValueOf(list).Elem(), value: valueIndex(reflect.TypeFor[E]())}
}

func add[E any](all *items, item E) {
	all.next().Set(reflect.ValueOf(item))
	all.keep()
}
