package cache_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"muster/cache"
)

// The least that a hit could cost: a map under a lock, without lifetimes, budget
// or eviction. Read BenchmarkHit as a multiple of it.
func BenchmarkPlainMap(b *testing.B) {
	var mu sync.RWMutex
	values := map[cache.Key]int{}
	keys := benchKeys()
	for i, k := range keys {
		values[k] = i
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			mu.RLock()
			_, ok := values[keys[i%len(keys)]]
			mu.RUnlock()
			if !ok {
				b.Error("missed")
			}
		}
	})
}

func BenchmarkHit(b *testing.B) {
	c := open(b, options[int]())
	keys := benchKeys()
	for i, k := range keys {
		if _, err := c.Get(b.Context(), k, cache.Want{}, gives(i)); err != nil {
			b.Fatal(err)
		}
	}
	fill := never[int](b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := c.Get(context.Background(), keys[i%len(keys)], cache.Want{}, fill); err != nil {
				b.Error(err)
			}
		}
	})
}

// What the cache adds to a call that it could not spare.
func BenchmarkMiss(b *testing.B) {
	c := open(b, options[int]())
	k := cache.NewKey("k")
	fill := func(context.Context) (int, cache.Lifetime, error) {
		return 1, cache.Lifetime{Fresh: time.Hour}, nil
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Get(b.Context(), k, cache.Want{NoCache: true}, fill); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		cache.NewKey("acme", "directory", "email", "jane.doe@acme.example")
	}
}

func benchKeys() []cache.Key {
	keys := make([]cache.Key, 1024)
	for i := range keys {
		keys[i] = cache.NewKey("acme", "directory", "email", "user"+strconv.Itoa(i)+"@acme.example")
	}
	return keys
}
