package adapters

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"muster/config/document"
	"muster/normalize"
)

// retryAfter is one place where an upstream says when to come back.
type retryAfter struct {
	header string
	path   normalize.Paths
	as     string // "seconds", "epoch_s", "epoch_ms", "rfc3339" or "http_date"; "" for seconds or a date
}

func retryAfterType(c *normalize.Compiler) document.Type[retryAfter] {
	return document.Object(func() []document.Key[retryAfter] {
		return []document.Key[retryAfter]{
			document.Of("header", "a header", document.Text(), func(r *retryAfter) *string { return &r.header }),
			document.Of("path", "a path in the body", c.PathsType(), func(r *retryAfter) *normalize.Paths { return &r.path }),
			document.Of("as", "what its value means; seconds or a date where nothing is said", document.OneOf("seconds", "epoch_s", "epoch_ms", "rfc3339", "http_date"), func(r *retryAfter) *string { return &r.as }),
		}
	}).With(func(r retryAfter, n *document.Node) {
		if n.Kind() == document.Mapping && (r.header == "") == (r.path == nil) {
			n.Errorf("exactly one of header and path is needed here")
		}
	})
}

// maxRetryAfter caps what an upstream may ask of us.
const maxRetryAfter = time.Hour

// retryAfterOf is how long the upstream asks to be left alone: as the first place
// says that says anything that can be read, 0 where none does. An instant is when
// the window of a limit ends. Many upstreams send it with every reply: it says
// nothing of a failure that is no limit.
func (r *response) retryAfterOf(kind Kind, got received, root *normalize.Cursor, now time.Time) time.Duration {
	rules := r.retryAfter
	if rules == nil {
		rules = []retryAfter{{header: "Retry-After"}}
	}
	for i := range rules {
		if rules[i].isInstant() && kind != RateLimited {
			continue
		}
		text := rules[i].path.Text(root)
		if rules[i].header != "" {
			text = got.header.Get(rules[i].header)
		}
		if after, ok := rules[i].span(text, now); ok {
			return after
		}
	}
	return 0
}

func (r *retryAfter) isInstant() bool {
	return slices.Contains([]string{"epoch_s", "epoch_ms", "rfc3339"}, r.as)
}

// retryAfterHeader reads the header of that name.
func retryAfterHeader(text string, now time.Time) time.Duration {
	after, _ := (&retryAfter{}).span(text, now)
	return after
}

// span reads a value as its unit says; ok is false for one that is absent or is
// something else.
func (r *retryAfter) span(text string, now time.Time) (after time.Duration, ok bool) {
	switch r.as {
	case "seconds":
		return secondsOf(text, maxRetryAfter)
	case "epoch_s", "epoch_ms":
		at, some, err := normalize.Epoch(r.as).Time(normalize.Number(text))
		return within(at.Sub(now), maxRetryAfter), err == nil && some
	case "rfc3339":
		at, ok := normalize.ParseInstant(text)
		return within(at.Sub(now), maxRetryAfter), ok
	default: // RFC 9110, 10.2.3
		if after, ok = secondsOf(text, maxRetryAfter); ok {
			return after, true
		}
		at, err := http.ParseTime(text)
		return within(at.Sub(now), maxRetryAfter), err == nil
	}
}

// secondsOf reads a count of seconds as a time span from 0 to most; ok tells
// whether the text is a number. One that no float holds is most, as is one that
// no time span holds.
func secondsOf(text string, most time.Duration) (span time.Duration, ok bool) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(seconds) {
		return 0, false
	}
	return time.Duration(max(0, min(seconds, most.Seconds())) * float64(time.Second)), true
}

func within(span, most time.Duration) time.Duration { return max(0, min(span, most)) }
