package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"muster/adapters"
	"muster/gateway"
	"muster/normalize"
)

// writeExplanation tells how the answer came about: who was asked, the trace, the
// requests, and where each member comes from.
func (l *lookup) writeExplanation(b *strings.Builder) {
	l.heading(b, "Plan")
	sources := l.answer.Sources[:len(l.recorders)] // links that fail stand behind them
	for wave := 1; ; wave++ {
		var asked []string
		for _, s := range sources {
			if s.From != "" && s.Wave == wave {
				asked = append(asked, s.Source)
			}
		}
		if asked == nil {
			break
		}
		fmt.Fprintf(b, "  wave %-5d %s\n", wave, strings.Join(asked, ", "))
	}
	for i, s := range sources {
		if s.From == "" {
			fmt.Fprintf(b, "  not asked  %s: %s\n", s.Source, l.reason(i))
		}
	}
	b.WriteString(l.trace.String())
	for i, s := range sources {
		if s.From != "" {
			l.writeRequests(b, i)
		}
	}
	if len(l.answer.Provenance) > 0 {
		l.heading(b, "Members")
		for _, member := range normalize.Members() {
			if decision, ok := l.answer.Provenance[member]; ok {
				l.writeMember(b, member, decision)
			}
		}
	}
}

func (l *lookup) heading(b *strings.Builder, text string) {
	fmt.Fprintf(b, "\n%s\n", l.paint.in(bold, text))
}

// reason is why a source was not asked.
func (l *lookup) reason(i int) string {
	s := l.answer.Sources[i]
	switch s.Outcome {
	case gateway.Skipped:
		return "skipped, by --fields, --sources, or for this tenant"
	case gateway.Unlinked:
		return "unlinked, nobody yielded " + strings.Join(s.Needs, " and ")
	default:
		return fmt.Sprintf("%s, %s", s.Outcome, l.kind(i))
	}
}

// writeRequests tells of one source: with what it was asked, in which state its
// guards and the cache are, and each request.
func (l *lookup) writeRequests(b *strings.Builder, i int) {
	result, source := l.answer.Sources[i], l.source(i)
	l.heading(b, result.Source)
	query := l.recorders[i].Query()
	used, _ := source.Choose(query)
	var with []string
	for _, kind := range used {
		with = append(with, source.SelfKind(kind)+" "+safe(query.IDs[kind]))
	}
	if len(with) > 0 {
		fmt.Fprintf(b, "  asked with %s\n", strings.Join(with, ", "))
	}
	fmt.Fprintf(b, "  cache %s, breaker %s\n", cacheState(result.From), l.live.Sources[i].Breaker())
	why := source.Why(l.recorders[i])
	if l.recorders[i].Awaited() {
		why = l.kind(i) + ": still being asked when the time for the lookup was over"
	}
	if why != "" {
		fmt.Fprintf(b, "  %s\n", l.paint.in(outcomeStyle(result.Outcome), safe(why)))
	}
	renewed := false
	for _, x := range source.Exchanges(l.recorders[i]) {
		l.writeExchange(b, x, renewed)
		renewed = renewed || !x.Token
	}
}

func cacheState(from string) string {
	switch from {
	case "cache":
		return "fresh"
	case "stale":
		return "stale"
	default:
		return "miss"
	}
}

func (l *lookup) writeExchange(b *strings.Builder, x adapters.Exchange, renewed bool) {
	status := fmt.Sprint(x.Status)
	switch {
	case x.Failed != "":
		status = "no reply: " + safe(x.Failed)
	case x.Status == 0:
		status = "no reply yet"
	}
	purpose := ""
	if x.Token {
		if purpose = "  for a token"; renewed {
			purpose = "  for another token: the first was refused"
		}
	}
	fmt.Fprintf(b, "  %s %s%s\n", l.paint.in(bold, x.Method), safe(x.URL), purpose)
	fmt.Fprintf(b, "      %s, %.1f ms, %d bytes\n", status, float64(x.Took.Microseconds())/1000, x.Bytes)
	for _, line := range x.Header {
		fmt.Fprintf(b, "      > %s\n", l.paint.in(dim, safe(line)))
	}
	if l.bodies {
		l.writeBody(b, ">", x.Sent)
		l.writeBody(b, "<", x.Body)
		if x.Body == "" && x.Bytes > 0 {
			what := "not JSON, and not shown"
			if x.Token {
				what = "a token's reply, which is never shown"
			}
			fmt.Fprintf(b, "      < %s\n", l.paint.in(dim, what))
		}
	}
}

func (l *lookup) writeBody(b *strings.Builder, arrow, body string) {
	if body == "" {
		return
	}
	for line := range strings.Lines(body) {
		fmt.Fprintf(b, "      %s %s\n", arrow, safe(strings.TrimRight(line, "\n")))
	}
}

// writeMember tells who said what of a member.
func (l *lookup) writeMember(b *strings.Builder, member string, d normalize.Decision) {
	fmt.Fprintf(b, "  %s\n", l.paint.in(bold, member))
	verb := "gave"
	if d.Winner != nil {
		l.writeClaim(b, green, "won", member, *d.Winner)
		verb = "agreed"
	}
	for _, claim := range d.Agreeing {
		l.writeClaim(b, "", verb, member, claim)
	}
	for _, claim := range d.Losing {
		verb := "overruled"
		if claim.By != "" {
			verb = "overruled by " + claim.By
		}
		l.writeClaim(b, yellow, verb, member, claim)
	}
}

// writeClaim writes what one source says, a line for each item, and where its
// definition maps that.
func (l *lookup) writeClaim(b *strings.Builder, style, verb, member string, claim normalize.Claim) {
	source, last := claim.Source, ""
	write := func(position, text string) {
		shown := position
		if position == last {
			shown = ""
		}
		fmt.Fprintf(b, "    %s %-*s %-*s  %s\n", l.paint.in(style, fmt.Sprintf("%-10s", verb)), l.widest(), source, positionWidth, shown, safe(text))
		verb, source, last = "", "", position
	}
	if ids, ok := claim.Value.([]normalize.Identifier); ok {
		for _, id := range ids {
			id.Source = ""
			write(l.position(claim.Source, "ids."+id.Kind), phrase(reflect.ValueOf(id)))
		}
		return
	}
	for _, text := range lines(reflect.ValueOf(claim.Value)) {
		write(l.position(claim.Source, member), strings.TrimSuffix(text, "  ("+claim.Source+")")) // it stands beside it
	}
}

const positionWidth = 26

// widest is the width of the longest name of a source.
func (l *lookup) widest() int {
	width := 0
	for _, s := range l.live.Sources {
		width = max(width, len(s.Name))
	}
	return width
}

// position is where a source's definition maps a member, file:line.
func (l *lookup) position(source, member string) string {
	i := slices.IndexFunc(l.live.Sources, func(s *gateway.Source) bool { return s.Name == source })
	if i < 0 {
		return "the operator's links"
	}
	positions := l.source(i).Definition().Positions()
	if member == "ids."+source { // what the definition calls its own
		if own, ok := positions["ids."+normalize.Self]; ok {
			return own
		}
	}
	return positions[member]
}
