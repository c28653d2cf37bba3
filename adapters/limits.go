package adapters

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"muster/config/document"
)

// Limits bound how one source is asked (providers.md, "limits"). They merge key
// by key: the gateway's defaults, the definition, the deployment's entry.
type Limits struct {
	Timeout     time.Duration // of one call
	Attempts    int           // calls for one lookup, at least 1
	Hedge       time.Duration // a second call is sent after this; 0 off
	Concurrency int           // calls under way at once
	Rate        Rate
	Breaker     Breaker
	Cache       Lifetimes
	MaxBytes    int64 // of a reply, after decompression
}

// Rate is how often a source may be asked; the zero value is no limit.
type Rate struct {
	Calls int
	Per   time.Duration
}

// Breaker is when a source is left alone, and for how long.
type Breaker struct {
	Failures float64       // share of the calls within Window that opens it
	Window   time.Duration // rolling
	Min      int           // calls within Window below which it never opens
	Open     time.Duration // how long it stays open before it probes
	Probes   int           // calls let through while half-open
}

// Lifetimes are how long a source's records are kept.
type Lifetimes struct {
	TTL      time.Duration // fresh
	Stale    time.Duration // usable after that, while it is asked again or fails; 0 off
	Negative time.Duration // how long "knows no such person" is believed
}

// DefaultLimits are the gateway's, where nobody says otherwise.
func DefaultLimits() Limits {
	var limits Limits
	document.Defaults(&limits, limitKeys())
	return limits
}

// ReadLimits lays what the node says over limits, key by key.
func ReadLimits(limits *Limits, n *document.Node) { LimitsType().Read(limits, n) }

// LimitsType is how limits are written.
func LimitsType() document.Type[Limits] {
	typ := document.Object(limitKeys)
	typ.Form = typ.Called("limits", "limits, key by key")
	return typ
}

func limitKeys() []document.Key[Limits] {
	count := document.Whole(1, math.MaxInt32)
	return []document.Key[Limits]{
		document.Of("timeout", "of one call", positive(), func(l *Limits) *time.Duration { return &l.Timeout }).Or("2s"),
		document.Of("attempts", "calls for one lookup; 1 never repeats", document.Whole(1, 10), func(l *Limits) *int { return &l.Attempts }).Or("2"),
		document.Of("hedge", "a second call is sent after this time", unless("off", positive()), func(l *Limits) *time.Duration { return &l.Hedge }).Or("off"),
		document.Of("concurrency", "calls under way at once", count, func(l *Limits) *int { return &l.Concurrency }).Or("64"),
		document.Of("rate", "calls per time", RateType(), func(l *Limits) *Rate { return &l.Rate }).Or("none"),
		document.Of("breaker", "when a source is left alone", document.Object(breakerKeys), func(l *Limits) *Breaker { return &l.Breaker }),
		document.Of("cache", "how long records are kept", document.Object(lifetimeKeys), func(l *Limits) *Lifetimes { return &l.Cache }),
		document.Of("max_bytes", "of a reply, after decompression", someBytes(), func(l *Limits) *int64 { return &l.MaxBytes }).Or("1MiB"),
	}
}

func breakerKeys() []document.Key[Breaker] {
	count := document.Whole(1, math.MaxInt32)
	return []document.Key[Breaker]{
		document.Of("failures", "share of failing calls that opens it", someShare(), func(b *Breaker) *float64 { return &b.Failures }).Or("50%"),
		document.Of("window", "the time over which calls are counted", positive(), func(b *Breaker) *time.Duration { return &b.Window }).Or("20s"),
		document.Of("min", "calls within the window below which it never opens", count, func(b *Breaker) *int { return &b.Min }).Or("20"),
		document.Of("open", "how long it stays open", positive(), func(b *Breaker) *time.Duration { return &b.Open }).Or("15s"),
		document.Of("probes", "calls let through to see whether the source is back", count, func(b *Breaker) *int { return &b.Probes }).Or("1"),
	}
}

func lifetimeKeys() []document.Key[Lifetimes] {
	return []document.Key[Lifetimes]{
		document.Of("ttl", "how long a record is fresh; 0s keeps none", document.Span(), func(l *Lifetimes) *time.Duration { return &l.TTL }).Or("5m"),
		document.Of("stale", "how long it may stand in after that; 0s never", document.Span(), func(l *Lifetimes) *time.Duration { return &l.Stale }).Or("1h"),
		document.Of("negative", "how long \"knows no such person\" is believed", document.Span(), func(l *Lifetimes) *time.Duration { return &l.Negative }).Or("30s"),
	}
}

// unless is a value, or the word that switches it off.
func unless[V any](off string, typ document.Type[V]) document.Type[V] {
	either := document.AnyOf(typ.About+", or "+off, typ.Form, document.Word(off)).Like(typ.Example)
	return document.Type[V]{Form: either, Read: func(into *V, n *document.Node) {
		if n.Kind() == document.Scalar && n.Text() == off {
			*into = *new(V)
			return
		}
		typ.Read(into, n)
	}}
}

// noBytes and noShare are the sizes and the shares of nothing; what is no size
// and no share at all has been reported.
var (
	noBytes = regexp.MustCompile(`^0+ *([KMG]i)?B? *$`)
	noShare = regexp.MustCompile(`^[+-]?[0.]+%$`)
)

func someBytes() document.Type[int64] {
	return document.Size().With(func(size int64, n *document.Node) {
		if size == 0 && noBytes.MatchString(n.Text()) {
			n.Errorf("a reply of no bytes is none")
		}
	})
}

func someShare() document.Type[float64] {
	return document.Share().With(func(share float64, n *document.Node) {
		if share == 0 && noShare.MatchString(n.Text()) {
			n.Errorf("a source without a failure would be left alone").Suggest("for example 50%%")
		}
	})
}

// positive is a time span that is longer than zero.
func positive() document.Type[time.Duration] {
	return document.Span().With(func(span time.Duration, n *document.Node) {
		if span == 0 && n.Kind() == document.Scalar {
			if written, err := time.ParseDuration(n.Text()); err == nil && written == 0 { // else it has been reported
				n.Errorf("must be longer than zero")
			}
		}
	})
}

// RateType is how a rate is written.
func RateType() document.Type[Rate] { return unless("none", rate()) }

func rate() document.Type[Rate] {
	form := document.Matching("calls per second, minute or hour", "^0*[1-9][0-9]*/[smh]$").Like("20/s")
	return document.Type[Rate]{Form: form, Read: func(into *Rate, n *document.Node) { *into = readRate(n) }}
}

func readRate(n *document.Node) Rate {
	count, unit, _ := strings.Cut(n.Text(), "/")
	calls, err := strconv.ParseUint(count, 10, 31)
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	if err != nil || calls == 0 || per == 0 {
		n.Errorf("expected a rate, found %q", n.Text()).Suggest("for example 20/s, 300/m, 5000/h or none")
		return Rate{}
	}
	return Rate{Calls: int(calls), Per: per}
}
