package cache

import "time"

// Want is what one caller accepts, in the terms of the request directives of
// RFC 9111 section 5.2.1. The zero Want accepts what the cache offers: a fresh
// value, or a stale one while it is being asked again. No Want reaches behind
// the Lifetime of a value: past Fresh+Stale there is nothing to accept.
//
// A value that is not accepted is asked for anew, and still stands in if that
// fails with a forgiven error: the caller sees Stale and the error, and decides.
type Want struct {
	// MaxAge refuses what is older. Alone it refuses stale values as well.
	MaxAge *time.Duration
	// MaxStale accepts a stale value up to this long past its freshness, beside
	// MaxAge too, and refuses what is staler. A max-stale without a value is the
	// largest Duration.
	MaxStale *time.Duration
	// OnlyIfCached never has anybody asked: Get returns ErrNotCached instead.
	OnlyIfCached bool
	// NoCache refuses every kept value. A fill already under way is joined.
	NoCache bool
	// Since refuses what was begun to be asked for at this time or before, and has it
	// dropped: nothing of it stands in for a failure, and no fill that was under way at
	// the time is joined. The zero time refuses nothing.
	Since time.Time
	// Until is when the caller stops waiting for a fill (RFC 7240 wait): Get then
	// returns ErrUnderWay, and what comes later is kept. Unlike with a context
	// that has ended, a fill is begun in any case. Zero waits as long as the context.
	Until time.Time
}

// accepts tells whether a value of this age, fresh for so long, may answer
// before anybody was asked.
func (w Want) accepts(age, fresh time.Duration) bool {
	switch {
	case w.NoCache, w.MaxAge != nil && age > *w.MaxAge:
		return false
	case age < fresh:
		return true
	case w.MaxStale != nil:
		return age-fresh <= *w.MaxStale
	default:
		// RFC 9111 section 5.2.1.1: who says max-age and not max-stale takes
		// nothing stale.
		return w.MaxAge == nil
	}
}
