package cache

import (
	"fmt"
	"time"
)

// Hit is a value and how Get came by it.
type Hit[V any] struct {
	// Value is shared by all who get it: read it, never change it.
	Value V
	From  From
	// Begun is when the fill that brought the value was begun.
	Begun time.Time
	// Age is the time since the fill returned the value.
	Age time.Duration
	// Fresh is for how much longer the value is fresh, 0 when From is Stale.
	Fresh time.Duration
	// Err is, with From Stale, why the value could not be asked again; nil while
	// it is merely being asked again.
	Err error
}

// From tells where a value comes from. The zero From tells nothing.
type From uint8

// The ways to come by a value.
const (
	Filled From = iota + 1 // this caller's own fill brought it
	Memory                 // it was kept, and is fresh
	Stale                  // it was kept, and stands in
	Shared                 // a fill that another caller had begun brought it
)

// String is the name in lower case.
func (f From) String() string {
	switch f {
	case Filled:
		return "filled"
	case Memory:
		return "memory"
	case Stale:
		return "stale"
	case Shared:
		return "shared"
	default:
		return fmt.Sprintf("From(%d)", uint8(f))
	}
}
