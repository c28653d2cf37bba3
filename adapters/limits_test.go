package adapters_test

import (
	"math"
	"testing"
	"time"

	"muster/adapters"
	"muster/config/document"
)

// The defaults of providers.md, "limits".
func TestDefaultLimits(t *testing.T) {
	expect(t, "defaults", adapters.DefaultLimits(), adapters.Limits{
		Timeout: 2 * time.Second, Attempts: 2, Hedge: 0, Concurrency: 64, Rate: adapters.Rate{},
		Breaker:  adapters.Breaker{Failures: 0.5, Window: 20 * time.Second, Min: 20, Open: 15 * time.Second, Probes: 1},
		Cache:    adapters.Lifetimes{TTL: 5 * time.Minute, Stale: time.Hour, Negative: 30 * time.Second},
		MaxBytes: 1 << 20,
	})
}

// readLimits lays a text over the defaults, and returns what is wrong with it.
func readLimits(text string) (adapters.Limits, []string) {
	var problems document.Problems
	limits := adapters.DefaultLimits()
	adapters.ReadLimits(&limits, document.Read("limits.yaml", []byte(text), &problems))
	var list []string
	for _, p := range problems.All() {
		list = append(list, p.Message+" | "+p.Hint)
	}
	return limits, list
}

func TestLimitsMergeKeyByKey(t *testing.T) {
	for text, change := range map[string]func(*adapters.Limits){
		`{timeout: 250ms}`:          func(l *adapters.Limits) { l.Timeout = 250 * time.Millisecond },
		`{attempts: 1}`:             func(l *adapters.Limits) { l.Attempts = 1 },
		`{attempts: 10}`:            func(l *adapters.Limits) { l.Attempts = 10 },
		`{hedge: 300ms}`:            func(l *adapters.Limits) { l.Hedge = 300 * time.Millisecond },
		`{hedge: off}`:              func(l *adapters.Limits) { l.Hedge = 0 },
		`{concurrency: 1}`:          func(l *adapters.Limits) { l.Concurrency = 1 },
		`{concurrency: 2147483647}`: func(l *adapters.Limits) { l.Concurrency = math.MaxInt32 },
		`{rate: none}`:              func(l *adapters.Limits) {},
		`{rate: 20/s}`:              func(l *adapters.Limits) { l.Rate = adapters.Rate{Calls: 20, Per: time.Second} },
		`{rate: 300/m}`:             func(l *adapters.Limits) { l.Rate = adapters.Rate{Calls: 300, Per: time.Minute} },
		`{rate: 5000/h}`:            func(l *adapters.Limits) { l.Rate = adapters.Rate{Calls: 5000, Per: time.Hour} },
		`{rate: 2147483647/s}`:      func(l *adapters.Limits) { l.Rate = adapters.Rate{Calls: math.MaxInt32, Per: time.Second} },
		`{breaker: {failures: 25%}}`: func(l *adapters.Limits) {
			l.Breaker.Failures = 0.25
		},
		`{breaker: {window: 1m, min: 3, open: 1s, probes: 2}}`: func(l *adapters.Limits) {
			l.Breaker = adapters.Breaker{Failures: 0.5, Window: time.Minute, Min: 3, Open: time.Second, Probes: 2}
		},
		`{cache: {ttl: 0s}}`:                func(l *adapters.Limits) { l.Cache.TTL = 0 },
		`{cache: {stale: 0s, negative: 0}}`: func(l *adapters.Limits) { l.Cache.Stale, l.Cache.Negative = 0, 0 },
		`{max_bytes: 64KiB}`:                func(l *adapters.Limits) { l.MaxBytes = 64 << 10 },
		`{max_bytes: 1}`:                    func(l *adapters.Limits) { l.MaxBytes = 1 },
		`{}`:                                func(*adapters.Limits) {},
	} {
		got, problems := readLimits(text)
		want := adapters.DefaultLimits()
		change(&want)
		expect(t, text, got, want)
		expect(t, text+": problems", problems, []string(nil))
	}

	limits := adapters.Limits{Hedge: time.Second, Rate: adapters.Rate{Calls: 1, Per: time.Second}}
	adapters.ReadLimits(&limits, document.Read("limits.yaml", []byte("{hedge: off, rate: none}"), &document.Problems{}))
	expect(t, "switched off", limits, adapters.Limits{})
	adapters.ReadLimits(&limits, nil)
	expect(t, "nothing said", limits, adapters.Limits{})
}

func TestLimitMistakes(t *testing.T) {
	const span, zero = "for example 250ms, 3s, 5m or 1h", "must be longer than zero | "
	const rate, size = "for example 20/s, 300/m, 5000/h or none", "for example 512KiB, 1MiB or 256MiB"
	for text, want := range map[string][]string{
		`{timeout: 2}`:              {`expected a time span, found "2" | ` + span},
		`{timeout: -1s}`:            {`expected a time span, found "-1s" | ` + span},
		`{timeout: [1s]}`:           {"expected a single value, found a list | "},
		`{timeout: 0}`:              {zero},
		`{timeout: 0s}`:             {zero},
		`{timeout: 0ms}`:            {zero},
		`{timeout: 0h0m}`:           {zero},
		`{timeout: }`:               {`the key "timeout" is written but has no value | give it a value or remove the line`},
		`{hedge: 0s}`:               {zero},
		`{hedge: none}`:             {`expected a time span, found "none" | ` + span},
		`{breaker: {window: 0m}}`:   {zero},
		`{breaker: {open: 0us}}`:    {zero},
		`{attempts: 0}`:             {`expected a whole number from 1 to 10, found "0" | `},
		`{attempts: 11}`:            {`expected a whole number from 1 to 10, found "11" | `},
		`{concurrency: 0}`:          {`expected a whole number of at least 1, found "0" | `},
		`{breaker: {probes: 0}}`:    {`expected a whole number of at least 1, found "0" | `},
		`{breaker: {min: x}}`:       {`expected a whole number of at least 1, found "x" | `},
		`{breaker: {failures: 50}}`: {`expected a share from 0% to 100%, found "50" | for example 10%`},
		`{breaker: {failures: 101%}}`: {
			`expected a share from 0% to 100%, found "101%" | for example 10%`,
		},
		`{breaker: {failures: 0%}}`: {"a source without a failure would be left alone | for example 50%"},
		`{breaker: off}`:            {"expected a mapping, found a single value | its keys are: failures, window, min, open, probes"},
		`{breaker: {opens: 1s}}`:    {`unknown key "opens" | did you mean "open"?`},
		`{cache: {ttl: -5m}}`:       {`expected a time span, found "-5m" | ` + span},
		`{rate: 20}`:                {`expected a rate, found "20" | ` + rate},
		`{rate: 0/s}`:               {`expected a rate, found "0/s" | ` + rate},
		`{rate: -1/s}`:              {`expected a rate, found "-1/s" | ` + rate},
		`{rate: +1/s}`:              {`expected a rate, found "+1/s" | ` + rate},
		`{rate: 1.5/s}`:             {`expected a rate, found "1.5/s" | ` + rate},
		`{rate: 20/d}`:              {`expected a rate, found "20/d" | ` + rate},
		`{rate: /s}`:                {`expected a rate, found "/s" | ` + rate},
		`{rate: 20/s/s}`:            {`expected a rate, found "20/s/s" | ` + rate},
		`{rate: 2147483648/s}`:      {`expected a rate, found "2147483648/s" | ` + rate},
		`{rate: off}`:               {`expected a rate, found "off" | ` + rate},
		`{max_bytes: 0}`:            {"a reply of no bytes is none | "},
		`{max_bytes: 0MiB}`:         {"a reply of no bytes is none | "},
		`{max_bytes: 1MB}`:          {`expected a size, found "1MB" | ` + size},
		`{max_bytes: -1}`:           {`expected a size, found "-1" | ` + size},
		`{max_bytes: KiB}`:          {`expected a size, found "KiB" | ` + size},
		`{timeuot: 1s}`:             {`unknown key "timeuot" | did you mean "timeout"?`},
		`[timeout]`:                 {"expected a mapping, found a list | its keys are: timeout, attempts, hedge, concurrency, rate, breaker, cache, max_bytes"},
	} {
		_, got := readLimits(text)
		expect(t, text, got, want)
	}
}
