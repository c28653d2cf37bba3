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
	return Limits{
		Timeout:     2 * time.Second,
		Attempts:    2,
		Concurrency: 64,
		Breaker:     Breaker{Failures: 0.5, Window: 20 * time.Second, Min: 20, Open: 15 * time.Second, Probes: 1},
		Cache:       Lifetimes{TTL: 5 * time.Minute, Stale: time.Hour, Negative: 30 * time.Second},
		MaxBytes:    1 << 20,
	}
}

// ReadLimits lays what the node says over limits, key by key.
func ReadLimits(limits *Limits, n *document.Node) {
	document.Decode(n, limits, limitKeys())
}

func limitKeys() []document.Key[Limits] {
	return []document.Key[Limits]{
		{Name: "timeout", About: "of one call", Read: func(l *Limits, n *document.Node) { l.Timeout = positive(n) }},
		{Name: "attempts", About: "calls for one lookup; 1 never repeats", Read: func(l *Limits, n *document.Node) { l.Attempts = int(n.Int(1, 10)) }},
		{Name: "hedge", About: "a second call is sent after this time; off", Read: func(l *Limits, n *document.Node) {
			if l.Hedge = 0; !isWord(n, "off") {
				l.Hedge = positive(n)
			}
		}},
		{Name: "concurrency", About: "calls under way at once", Read: func(l *Limits, n *document.Node) { l.Concurrency = int(n.Int(1, math.MaxInt32)) }},
		{Name: "rate", About: "calls per time, such as 20/s or 300/m; none", Read: func(l *Limits, n *document.Node) {
			if l.Rate = (Rate{}); !isWord(n, "none") {
				l.Rate = readRate(n)
			}
		}},
		{Name: "breaker", About: "when a source is left alone", Read: func(l *Limits, n *document.Node) { document.Decode(n, &l.Breaker, breakerKeys()) }},
		{Name: "cache", About: "how long records are kept", Read: func(l *Limits, n *document.Node) { document.Decode(n, &l.Cache, lifetimeKeys()) }},
		{Name: "max_bytes", About: "of a reply, after decompression", Read: func(l *Limits, n *document.Node) {
			if l.MaxBytes = n.Bytes(); l.MaxBytes == 0 && noBytes.MatchString(n.Text()) {
				n.Errorf("a reply of no bytes is none")
			}
		}},
	}
}

func breakerKeys() []document.Key[Breaker] {
	return []document.Key[Breaker]{
		{Name: "failures", About: "share of failing calls that opens it", Read: func(b *Breaker, n *document.Node) {
			if b.Failures = n.Percent(); b.Failures == 0 && noShare.MatchString(n.Text()) {
				n.Errorf("a source without a failure would be left alone").Suggest("for example 50%%")
			}
		}},
		{Name: "window", About: "the time over which calls are counted", Read: func(b *Breaker, n *document.Node) { b.Window = positive(n) }},
		{Name: "min", About: "calls within the window below which it never opens", Read: func(b *Breaker, n *document.Node) { b.Min = int(n.Int(1, math.MaxInt32)) }},
		{Name: "open", About: "how long it stays open", Read: func(b *Breaker, n *document.Node) { b.Open = positive(n) }},
		{Name: "probes", About: "calls let through to see whether the source is back", Read: func(b *Breaker, n *document.Node) { b.Probes = int(n.Int(1, math.MaxInt32)) }},
	}
}

func lifetimeKeys() []document.Key[Lifetimes] {
	return []document.Key[Lifetimes]{
		{Name: "ttl", About: "how long a record is fresh; 0s keeps none", Read: func(l *Lifetimes, n *document.Node) { l.TTL = n.Duration() }},
		{Name: "stale", About: "how long it may stand in after that; 0s never", Read: func(l *Lifetimes, n *document.Node) { l.Stale = n.Duration() }},
		{Name: "negative", About: "how long \"knows no such person\" is believed", Read: func(l *Lifetimes, n *document.Node) { l.Negative = n.Duration() }},
	}
}

func isWord(n *document.Node, word string) bool {
	return n.Kind() == document.Scalar && n.Text() == word
}

// noBytes and noShare are the sizes and the shares of nothing; what is no size
// and no share at all has been reported.
var (
	noBytes = regexp.MustCompile(`^0+ *([KMG]i)?B? *$`)
	noShare = regexp.MustCompile(`^[+-]?[0.]+%$`)
)

// positive reads a time span that is longer than zero.
func positive(n *document.Node) time.Duration {
	span := n.Duration()
	if span == 0 && n.Kind() == document.Scalar {
		if written, err := time.ParseDuration(n.Text()); err == nil && written == 0 { // else it has been reported
			n.Errorf("must be longer than zero")
		}
	}
	return span
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
