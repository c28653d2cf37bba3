package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/adapters"
	"muster/gateway"
	"muster/normalize"
)

// The worlds here are small and arbitrary: sources that need, yield, contradict and
// fail in any way. What a lookup in one of them comes to is said once more by a slow
// evaluator that shares nothing with the engine: it asks one source after the other,
// and tries out every future before it asks.

// party is a source of a small world.
type party struct {
	name    string
	lookups [][]string    // kinds, where its own is called by its name
	yields  []string      // likewise
	vouches bool          // for addresses
	says    []saying      // of what it yields
	how     string        // ok, absent, fails, panics or late
	unfit   string        // a value that fits no place
	gives   string        // a member of the profile; "" for none
	delay   time.Duration // until it answers
	barred  bool          // it does not serve the tenant

	mu    sync.Mutex
	asked []string // with what: one entry a call
}

// saying is an identifier that a source has. Its addresses are verified where it
// vouches for them, all or none, as of a definition.
type saying struct {
	kind, value string
	verified    bool
}

// puzzle is a world and what is asked of it.
type puzzle struct {
	parties []*party
	waves   int
	kind    string            // what the caller has; the value is "1"
	links   map[string]string // of an operator, by what the caller has
	more    map[string]string // and by an address that a source says
	fields  []string          // nil for all
	only    []string          // nil for all
}

func (p *puzzle) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:1 linked %v, by an address %v, fields %v, sources %v, %d waves\n", p.kind, p.links, p.more, p.fields, p.only, p.waves)
	for _, s := range p.parties {
		fmt.Fprintf(&b, "%s %s by %v yields %v says %v vouches %t unfit %q gives %q barred %t\n", s.name, s.how, s.lookups, s.yields, s.says, s.vouches, s.unfit, s.gives, s.barred)
	}
	return b.String()
}

// draw makes a world of a number: the same one every time.
func draw(number uint64) *puzzle {
	r := rand.New(rand.NewPCG(number, 4))
	oneOf := func(all ...string) string { return all[r.IntN(len(all))] }
	some := func(from []string, least, most int) []string {
		order := r.Perm(len(from))[:least+r.IntN(most-least+1)]
		all := []string{}
		for _, i := range order {
			all = append(all, from[i])
		}
		return all
	}
	p := &puzzle{waves: 1 + r.IntN(4), kind: oneOf("email", "oid", "badge", "a")}
	if r.IntN(4) == 0 {
		p.links = map[string]string{oneOf("username", "d", "room"): oneOf("1", "1", "2")}
	}
	if r.IntN(4) == 0 {
		p.fields = [][]string{{"displayName"}, {"title"}, {"displayName", "title"}}[r.IntN(3)]
	}
	names := []string{"a", "b", "c", "d", "e", "f"}[:1+r.IntN(6)]
	if r.IntN(8) == 0 {
		p.only = some(names, 1, len(names))
	}
	kinds := append([]string{"email", "oid", "badge", "username"}, names[:min(4, len(names))]...)
	for _, name := range names {
		s := &party{name: name, vouches: r.IntN(2) == 0, gives: oneOf("displayName", "displayName", "title", "")}
		s.how = oneOf("ok", "ok", "ok", "ok", "ok", "absent", "fails", "panics", "late")
		s.unfit = oneOf("", "", "", "2")
		for range 1 + r.IntN(3) {
			s.lookups = append(s.lookups, some(kinds, 1, 2))
		}
		if r.IntN(3) == 0 {
			s.lookups[0] = []string{p.kind}
		}
		s.yields = some(kinds, 0, 4)
		for _, kind := range s.yields {
			if r.IntN(4) > 0 {
				s.says = append(s.says, saying{kind, oneOf("1", "1", "1", "1", "2"), s.vouches})
			}
		}
		if r.IntN(12) == 0 {
			s.barred = true
		}
		p.parties = append(p.parties, s)
	}
	if p.more = map[string]string{}; r.IntN(2) == 0 {
		for range 1 + r.IntN(2) {
			p.more[oneOf("oid", "a", "b", "badge", "room", "username")] = oneOf("1", "1", "1", "2")
		}
	}
	return p
}

// hurry gives every source another time to answer in.
func (p *puzzle) hurry(r *rand.Rand) {
	for _, s := range p.parties {
		s.delay = time.Duration(1+r.IntN(100)) * time.Millisecond
	}
}

// Fetch answers as the world has it. An identifier of its own goes by self.
func (s *party) Fetch(_ context.Context, q adapters.Query) (adapters.Reply, error) {
	used, _ := s.Choose(q)
	with := []string{}
	for _, kind := range used {
		with = append(with, s.outside(kind)+"="+q.IDs[kind])
	}
	slices.Sort(with)
	s.mu.Lock()
	s.asked = append(s.asked, strings.Join(with, " "))
	s.mu.Unlock()
	time.Sleep(s.delay)
	switch s.how {
	case "absent":
		return adapters.Reply{}, adapters.Fail(adapters.NotFound, "a test says so", nil)
	case "fails":
		return adapters.Reply{}, adapters.Fail(adapters.Denied, "a test says so", nil)
	case "panics":
		panic("a test says so")
	case "late":
		time.Sleep(2 * time.Second)
	}
	record := normalize.Record{}
	switch s.gives {
	case "displayName":
		record.Profile.DisplayName = "name of " + s.name
	case "title":
		record.Profile.Title = "title of " + s.name
	}
	for _, what := range s.says {
		id := normalize.Identifier{Kind: s.inside(what.kind), Value: what.value}
		if what.kind == "email" && what.verified {
			id.Verified = new(true)
		}
		record.IDs = append(record.IDs, id)
	}
	return adapters.Reply{Record: record, Status: 200}, nil
}

func (s *party) calls() []string {
	s.mu.Lock() // those that are late are still at it
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// inside is a kind as the source itself calls it, outside as everybody else does.
func (s *party) inside(kind string) string {
	if kind == s.name {
		return normalize.Self
	}
	return kind
}

func (s *party) outside(kind string) string {
	if kind == normalize.Self {
		return s.name
	}
	return kind
}

func (s *party) insides(kinds []string) []string {
	all := make([]string, len(kinds))
	for i, kind := range kinds {
		all[i] = s.inside(kind)
	}
	return all
}

func (s *party) Needs() (all [][]string) {
	for _, set := range s.lookups {
		all = append(all, s.insides(set))
	}
	return all
}
func (s *party) TenantNeeds() []string { return nil }
func (s *party) Yields() []string      { return s.insides(s.yields) }
func (s *party) Vouches(kind string) bool {
	return (kind != "email" || s.vouches) && slices.Contains(s.Yields(), kind)
}
func (s *party) AsCaller() bool { return false }
func (s *party) Members() []string {
	if s.gives == "" {
		return nil
	}
	return []string{s.gives}
}

// Choose is the first lookup that is at hand and fits, else the first at hand.
func (s *party) Choose(q adapters.Query) (used, missing []string) {
	for _, set := range s.Needs() {
		lacks := slices.DeleteFunc(slices.Clone(set), func(kind string) bool { return q.IDs[kind] != "" })
		switch {
		case len(lacks) > 0:
			if missing == nil {
				missing = lacks
			}
		case used == nil || s.misfits(q, used) && !s.misfits(q, set):
			used = set
		}
	}
	if used != nil {
		return used, nil
	}
	first := s.Needs()[0]
	return nil, slices.DeleteFunc(slices.Clone(first), func(kind string) bool { return q.IDs[kind] != "" })
}

func (s *party) misfits(q adapters.Query, set []string) bool {
	return s.unfit != "" && slices.ContainsFunc(set, func(kind string) bool { return q.IDs[kind] == s.unfit })
}

func (s *party) Check(q adapters.Query) *adapters.Fault {
	if used, _ := s.Choose(q); s.misfits(q, used) {
		return adapters.Fail(adapters.Invalid, "a value does not fit", nil)
	}
	return nil
}

// Find makes the puzzle the operator's links.
func (p *puzzle) Find(_ context.Context, _, kind, _ string) (map[string]string, error) {
	if kind == p.kind {
		return p.links, nil
	}
	return p.more, nil
}

// live is the world as a configuration, for a tenant of its own.
func (p *puzzle) live(tenant string) *gateway.Live {
	l := &gateway.Live{
		Tenants: map[string]*gateway.Tenant{tenant: {Name: tenant}}, Accept: []string{p.kind},
		Links: p, Budget: time.Second, Waves: p.waves, LinksFor: time.Hour,
	}
	for _, s := range p.parties {
		source := &gateway.Source{
			Name: s.name, Chain: []string{s.name}, Hash: tenant, Keep: keep(), Upstream: s, Adapter: s, Breaker: func() string { return "closed" },
		}
		if s.barred {
			source.Tenants = []string{"another"}
		}
		l.Sources = append(l.Sources, source)
		l.Rules.Order = append(l.Rules.Order, s.name)
	}
	return l
}

// told is what came of a source, in a line: its outcome, the kind of its failure, what
// it was asked with and in which wave, or what it waited for.
func (p *puzzle) told(a *gateway.Answer) []string {
	var lines []string
	for i, s := range p.parties {
		result := a.Sources[i]
		line := s.name + " " + string(result.Outcome)
		for _, child := range a.ChildErrors {
			if child.Source == s.name {
				line += " " + child.Kind
			}
		}
		if calls := s.calls(); len(calls) > 0 {
			line += fmt.Sprintf(", asked with %s in wave %d", strings.Join(calls, ", and with "), result.Wave)
		} else if result.Outcome == gateway.Unlinked {
			line += fmt.Sprint(", waited for ", result.Needs)
		}
		lines = append(lines, line)
	}
	data := "nobody"
	if a.Data != nil {
		var ids []string
		for _, id := range a.Data.Identifiers {
			ids = append(ids, fmt.Sprintf("%s %s=%s", id.Source, id.Kind, id.Value))
		}
		slices.Sort(ids)
		data = fmt.Sprintf("%q %q %v, id %t", a.Data.DisplayName, a.Data.Title, ids, a.Data.ID != "")
	}
	return append(lines, data)
}

// The slow evaluator.

// word is an identifier of the person that somebody has said.
type word struct {
	value string
	by    int // the source; -1 for the caller and the links
	trust int // 1 assumed, 2 verified, 3 the caller's, 4 a link
	wave  int
}

// fate is what comes of a source.
type fate struct {
	over    bool
	outcome string
	kind    string // of its failure
	with    map[string]word
	needs   []string
	wave    int
	called  bool
	hanging bool
	broken  bool     // whoever waited for it waits in vain
	hidden  []string // of its identifiers
	trust   int
	lent    bool
}

type evaluator struct {
	*puzzle
	words map[string][]word // by kind
	fates []*fate
	over  bool // the budget
}

// evaluate says what a lookup comes to.
func evaluate(p *puzzle) []string {
	e := &evaluator{puzzle: p.withLinks(), words: map[string][]word{p.kind: {{"1", -1, 3, 0}}}}
	for kind, value := range p.links {
		if kind != p.kind {
			e.words[kind] = []word{{value, -1, 4, 0}}
		}
	}
	wanted := e.wanted()
	for i := range e.parties {
		f := &fate{}
		if !wanted[i] {
			f.over, f.outcome = true, "skipped"
		}
		e.fates = append(e.fates, f)
	}
	for e.step() {
	}
	e.end()
	e.judge()
	return e.tell()
}

// withLinks are the links as one more party, the last: free of charge, and asked by an
// address.
func (p *puzzle) withLinks() *puzzle {
	if p.kind == "email" || p.links["email"] != "" {
		return p
	}
	links := &party{name: normalize.Links, how: "absent", lookups: [][]string{{"email"}}}
	for _, kind := range slices.Sorted(maps.Keys(p.more)) {
		links.says, links.how = append(links.says, saying{kind, p.more[kind], false}), "ok"
	}
	for _, s := range p.parties {
		for _, set := range s.lookups {
			for _, kind := range set {
				if kind == "email" || kind == "username" || slices.Contains(links.yields, kind) {
					continue
				}
				links.yields = append(links.yields, kind)
			}
		}
	}
	all := *p
	all.parties = append(slices.Clone(p.parties), links)
	return &all
}

func (s *party) free() bool { return s.name == normalize.Links }

// fromTheStart tells that the caller or a link has said a kind.
func (e *evaluator) fromTheStart(kind string) bool {
	return len(e.words[kind]) > 0 && e.words[kind][0].by < 0
}

// usable: a user name is no use to another source than that which said it.
func (e *evaluator) usable(kind string, by, to int) bool {
	return by != to && (by < 0 || kind != "username")
}

// wanted are the sources that give something of what was asked for, and those that
// may lead to one that is wanted and cannot be asked from the start.
func (e *evaluator) wanted() []bool {
	may, wanted := make([]bool, len(e.parties)), make([]bool, len(e.parties))
	for i, s := range e.parties {
		may[i] = !s.barred && (e.only == nil || s.free() || slices.Contains(e.only, s.name))
		wanted[i] = may[i] && (e.fields == nil || slices.Contains(e.fields, s.gives))
	}
	for range e.parties {
		for i, s := range e.parties {
			ready := slices.ContainsFunc(s.lookups, func(set []string) bool {
				return !slices.ContainsFunc(set, func(kind string) bool { return !e.fromTheStart(kind) })
			})
			for j := range e.parties {
				wanted[j] = wanted[j] || wanted[i] && !ready && may[j] && j != i && (e.leads(j, i) || e.nameless(i) && e.telling(j))
			}
		}
	}
	return wanted
}

// meetable: an address that is not known from the start may lead to a source, or to
// one that leads on to it.
func (e *evaluator) meetable(i int) bool {
	takes := func(s *party) bool {
		return slices.ContainsFunc(s.lookups, func(set []string) bool { return slices.Contains(set, "email") })
	}
	found := takes(e.parties[i])
	for j, s := range e.parties {
		found = found || takes(s) && e.leads(j, i)
	}
	return found && !e.fromTheStart("email")
}

// nameless are sources that give something of whom an address leads to, and no user
// name; telling are those that give one.
func (e *evaluator) nameless(i int) bool {
	return e.parties[i].gives != "" && !slices.Contains(e.parties[i].yields, "username") && e.meetable(i)
}

func (e *evaluator) telling(i int) bool {
	return slices.Contains(e.parties[i].yields, "username") && e.meetable(i)
}

// leads tells that one source may say what another lacks.
func (e *evaluator) leads(from, to int) bool {
	return slices.ContainsFunc(e.parties[from].yields, func(kind string) bool {
		return e.usable(kind, from, to) && !e.fromTheStart(kind) && slices.ContainsFunc(e.parties[to].lookups, func(set []string) bool { return slices.Contains(set, kind) })
	})
}

// step lets one source be asked and answer, or be over in another way. It is false
// when nothing more can be.
func (e *evaluator) step() bool {
	for i, f := range e.fates {
		if f.over || f.hanging {
			continue
		}
		if with, how := e.initially(i); how == "fits" {
			e.ask(i, with)
			return true
		} else if how != "" && !slices.ContainsFunc(e.parties[i].lookups, func(set []string) bool {
			return slices.ContainsFunc(set, func(kind string) bool { return !e.fromTheStart(kind) })
		}) {
			*f = fate{over: true, outcome: "failed", kind: "invalid", broken: true}
			return true
		}
		now := e.pick(i, nil)
		if now != nil && !slices.ContainsFunc(e.futures(i), func(future map[string]word) bool { return !maps.Equal(e.pick(i, future), now) }) {
			e.ask(i, now)
			return true
		}
	}
	late := false
	for _, f := range e.fates { // nobody else can be asked: those that hang take all of the time
		if f.hanging {
			*f = fate{over: true, outcome: "failed", kind: "timeout", with: f.with, wave: f.wave, called: true, broken: true}
			late = true
		}
	}
	if late {
		e.over = true
		return true
	}
	for i, f := range e.fates { // they wait for each other
		if now := e.pick(i, nil); !f.over && now != nil {
			e.ask(i, now)
			return true
		}
	}
	return false
}

// initially is the first lookup that is possible from the start and fits; else the
// first that is possible.
func (e *evaluator) initially(i int) (with map[string]word, how string) {
	for _, set := range e.parties[i].lookups {
		all := map[string]word{}
		for _, kind := range set {
			if e.fromTheStart(kind) {
				all[kind] = e.words[kind][0]
			}
		}
		switch {
		case len(all) < len(set):
		case e.fits(i, all):
			return all, "fits"
		case with == nil:
			with, how = all, "does not fit"
		}
	}
	return with, how
}

func (e *evaluator) fits(i int, with map[string]word) bool {
	for _, w := range with {
		if w.value == e.parties[i].unfit {
			return false
		}
	}
	return true
}

// pick is with what a source would be asked: by the first lookup of which all is
// known, the strongest words, or better ones of a future. Whether a value fits is
// found out when all that stand beside it are there, so of a future nobody knows.
func (e *evaluator) pick(i int, future map[string]word) map[string]word {
	for _, set := range e.parties[i].lookups {
		with, open := map[string]word{}, false
		for _, kind := range set {
			if w, better := future[kind]; better {
				with[kind], open = w, true
			} else if w, known := e.best(i, kind); known {
				with[kind] = w
			}
		}
		if len(with) == len(set) && (open || e.fits(i, with)) {
			return with
		}
	}
	return nil
}

func (e *evaluator) best(i int, kind string) (best word, known bool) {
	for _, w := range e.words[kind] {
		if e.usable(kind, w.by, i) && (!known || before(w, best)) {
			best, known = w, true
		}
	}
	return best, known
}

// before: the more trusted word goes first, then the one that was said earlier, then that
// of the earlier source.
func before(a, b word) bool {
	return a.trust > b.trust || a.trust == b.trust && (a.wave < b.wave || a.wave == b.wave && a.by < b.by)
}

// futures are all that may yet be said for a source that is better than what it would
// be asked with now: for every kind, nothing, or a word of one that may yet speak.
func (e *evaluator) futures(i int) []map[string]word {
	speak := e.mayYetSpeak(i)
	all := []map[string]word{{}}
	kinds := slices.Concat(e.parties[i].lookups...)
	slices.Sort(kinds)
	for _, kind := range slices.Compact(kinds) {
		best, known := e.best(i, kind)
		for _, future := range slices.Clone(all) {
			for j, s := range e.parties {
				w := word{value: "?", by: j, trust: min(speak[j].trust, e.cap(j, kind)), wave: speak[j].wave}
				if !e.fromTheStart(kind) && w.trust > 0 && slices.Contains(s.yields, kind) && e.usable(kind, j, i) && (!known || before(w, best)) {
					another := maps.Clone(future)
					another[kind] = w
					all = append(all, another)
				}
			}
		}
	}
	return all
}

// cap is how far a source can be trusted at most about a kind.
func (e *evaluator) cap(i int, kind string) int {
	if kind == "email" && !e.parties[i].vouches {
		return 1
	}
	return 2
}

// mayYetSpeak are those that may yet answer if one source never does: how far their
// records would be trusted at most, and when they would come at the earliest.
func (e *evaluator) mayYetSpeak(without int) []word {
	speak := make([]word, len(e.parties))
	for range 2 * len(e.parties) * len(e.parties) { // by then, nothing changes any more
		for j, s := range e.parties {
			if j == without || e.fates[j].over {
				continue
			}
			if e.fates[j].hanging {
				speak[j] = word{trust: 4, wave: e.fates[j].wave}
				for _, w := range e.fates[j].with {
					speak[j].trust = min(speak[j].trust, w.trust)
				}
				continue
			}
			for _, set := range s.lookups {
				trust, wave := 4, 0
				for _, kind := range set {
					most, soonest := 0, math.MaxInt
					for _, w := range e.words[kind] {
						if e.usable(kind, w.by, j) {
							most, soonest = max(most, w.trust), min(soonest, w.wave)
						}
					}
					if e.fromTheStart(kind) {
						most, soonest = 4, 0
					}
					for k, other := range e.parties {
						if speak[k].trust > 0 && !e.fromTheStart(kind) && e.usable(kind, k, j) && slices.Contains(other.yields, kind) {
							most, soonest = max(most, min(speak[k].trust, e.cap(k, kind))), min(soonest, speak[k].wave)
						}
					}
					trust, wave = min(trust, most), max(wave, soonest)
				}
				if trust == 0 {
					continue
				}
				if !s.free() {
					wave++
				}
				if speak[j].trust == 0 {
					speak[j].wave = wave
				}
				speak[j].trust, speak[j].wave = max(speak[j].trust, trust), min(speak[j].wave, wave)
			}
		}
	}
	return speak
}

// ask asks a source, which answers at once unless it hangs.
func (e *evaluator) ask(i int, with map[string]word) {
	s, f := e.parties[i], e.fates[i]
	f.with, f.wave = with, 1
	for _, w := range with {
		f.wave = max(f.wave, w.wave+1)
	}
	switch {
	case s.free():
		f.wave--
	case f.wave > e.waves:
		f.over, f.outcome, f.kind, f.broken = true, "failed", "unresolved", true
		return
	case e.over:
		f.over, f.outcome, f.kind, f.broken = true, "failed", "timeout", true
		return
	}
	f.called = !s.free()
	switch s.how {
	case "late":
		f.hanging = true
		return
	case "absent":
		f.over, f.outcome = true, "absent"
		return
	case "fails":
		f.over, f.outcome, f.kind, f.broken = true, "failed", "denied", true
		return
	case "panics":
		f.over, f.outcome, f.kind, f.broken = true, "failed", "unavailable", true
		return
	}
	f.over, f.outcome = true, "ok"
	if f.trust = e.believed(i); f.trust == 0 { // it may be anybody's record
		f.outcome, f.kind, f.broken = "failed", "mismatch", true
		return
	}
	for kind, w := range with {
		f.lent = f.lent || w.by >= 0 && (kind == "email" || e.fates[w.by].lent)
	}
	for _, what := range s.says {
		trust := min(f.trust, 2)
		if what.kind == "email" && !what.verified {
			trust = 1
		}
		e.words[what.kind] = append(e.words[what.kind], word{what.value, i, trust, f.wave})
	}
}

// believed is how far a record is: as far as the weakest word it was found by, and
// where that was an address, no further than the source stands for it.
func (e *evaluator) believed(i int) int {
	s, trust := e.parties[i], 4
	for kind, w := range e.fates[i].with {
		trust = min(trust, w.trust)
		if kind != "email" || s.free() {
			continue
		}
		at := slices.IndexFunc(s.says, func(what saying) bool { return what.kind == "email" && what.value == w.value })
		switch {
		case at >= 0 && s.says[at].verified:
			trust = min(trust, 2)
		case at < 0 && s.vouches && slices.Contains(s.yields, "email"):
			return 0
		default:
			trust = min(trust, 1)
		}
	}
	return trust
}

// end is for those who were never asked: in vain where one has failed who may have led
// there, else nobody knows what they need.
func (e *evaluator) end() {
	for i, f := range e.fates {
		known := slices.ContainsFunc(e.parties[i].lookups, func(set []string) bool { // and does not fit, or it had been asked
			return !slices.ContainsFunc(set, func(kind string) bool { _, known := e.best(i, kind); return !known })
		})
		if !f.over && known {
			*f = fate{over: true, outcome: "failed", kind: "invalid", broken: true}
		}
	}
	for range e.parties {
		for i, f := range e.fates {
			if !f.over && slices.ContainsFunc(e.parties, func(s *party) bool {
				j := slices.Index(e.parties, s)
				return e.fates[j].broken && e.leads(j, i)
			}) {
				*f = fate{over: true, outcome: "failed", kind: "unresolved", broken: true}
			}
		}
	}
	for i, f := range e.fates {
		if !f.over {
			f.over, f.outcome = true, "unlinked"
			for _, kind := range e.parties[i].lookups[0] {
				if !e.fromTheStart(kind) {
					f.needs = append(f.needs, kind)
				}
			}
		}
	}
}

// judge throws out the records that do not fit, until all do; and with each the one that
// named it, if that was found by an address which another source had said. What such a
// one has named and nobody has seen is not shown.
func (e *evaluator) judge() {
	for {
		out := e.unfitting()
		if len(out) == 0 {
			break
		}
		for _, i := range out {
			out = append(out, e.namedBy(i)...)
		}
		for _, i := range out {
			e.fates[i].outcome, e.fates[i].kind = "failed", "mismatch"
		}
	}
	e.question()
	for i, f := range e.fates {
		for _, what := range e.parties[i].says {
			if f.lent && what.kind != "email" && e.unseen(i, what) {
				f.hidden = append(f.hidden, what.kind+"="+what.value)
			}
		}
	}
}

// question takes out what lent addresses have led to and nothing shows to be the
// person's, where one that could have told is silent.
func (e *evaluator) question() {
	nameOf := func(i int) bool {
		return e.fates[i].outcome == "ok" && slices.ContainsFunc(e.parties[i].says, func(s saying) bool { return s.kind == "username" })
	}
	known, silent := e.fromTheStart("username"), false
	for i, f := range e.fates {
		known = known || nameOf(i)
		silent = silent || e.telling(i) && !e.parties[i].barred && (f.outcome == "failed" || f.outcome == "skipped")
	}
	var shown func(i int) bool
	shown = func(i int) bool {
		if nameOf(i) {
			return true
		}
		for j, f := range e.fates {
			if f.outcome != "ok" {
				continue
			}
			for _, w := range f.with {
				if w.by == i && shown(j) {
					return true
				}
			}
		}
		return false
	}
	var out []int
	for i, f := range e.fates {
		if known && silent && f.outcome == "ok" && f.lent && e.parties[i].gives != "" && !shown(i) {
			out = append(out, i)
		}
	}
	for _, i := range out {
		e.fates[i].outcome, e.fates[i].kind = "failed", "unresolved"
	}
}

// unseen: there are those who could be asked by a key, and none has a record of it.
func (e *evaluator) unseen(by int, key saying) bool {
	could, seen := false, e.fromTheStart(key.kind)
	for i, s := range e.parties {
		if s.barred || !e.usable(key.kind, by, i) || !slices.ContainsFunc(s.lookups, func(set []string) bool { return slices.Contains(set, key.kind) }) {
			continue
		}
		could = true
		seen = seen || e.fates[i].outcome == "ok" && (e.fates[i].with[key.kind].value == key.value ||
			slices.ContainsFunc(s.says, func(other saying) bool { return other.kind == key.kind && other.value == key.value }))
	}
	return could && !seen
}

// namedBy are those who still stand and have said, by no more than a lent address, under
// which key a source has the person.
func (e *evaluator) namedBy(i int) (all []int) {
	for kind, w := range e.fates[i].with {
		if w.by >= 0 && kind != "email" && e.fates[w.by].lent && e.fates[w.by].outcome == "ok" {
			all = append(all, w.by)
		}
	}
	return all
}

// unfitting takes the records one by one, the most trusted first, and finds those that
// do not fit what has been taken.
func (e *evaluator) unfitting() (out []int) {
	taken := map[string][]string{}
	for kind, words := range e.words {
		if words[0].by < 0 {
			taken[kind] = []string{words[0].value}
		}
	}
	done := map[int]bool{}
	for {
		next := -1
		for i, f := range e.fates {
			if f.outcome == "ok" && !done[i] && (next < 0 || f.trust > e.fates[next].trust || f.trust == e.fates[next].trust && f.wave < e.fates[next].wave) {
				next = i
			}
		}
		if next < 0 {
			return out
		}
		f := e.fates[next]
		done[next] = true
		good := true
		for kind, w := range f.with {
			good = good && slices.Contains(taken[kind], w.value)
		}
		for _, what := range e.parties[next].says {
			switch known := taken[what.kind]; {
			case len(known) == 0 || slices.Contains(known, what.value) || what.kind == "email":
			case what.kind == "username":
				good = good && !f.lent
			default:
				good = false
			}
		}
		if !good {
			out = append(out, next)
			continue
		}
		for _, what := range e.parties[next].says {
			if !slices.Contains(taken[what.kind], what.value) {
				taken[what.kind] = append(taken[what.kind], what.value)
			}
		}
	}
}

func (e *evaluator) tell() []string {
	var lines, ids []string
	found, whole, own := false, true, false
	members := map[string]string{}
	for i, f := range e.fates {
		s := e.parties[i]
		line := s.name + " " + f.outcome
		if f.kind != "" {
			line += " " + f.kind
		}
		switch {
		case f.called:
			var with []string
			for kind, w := range f.with {
				with = append(with, kind+"="+w.value)
			}
			slices.Sort(with)
			line += fmt.Sprintf(", asked with %s in wave %d", strings.Join(with, " "), f.wave)
		case f.outcome == "unlinked":
			line += fmt.Sprint(", waited for ", f.needs)
		}
		if s.free() {
			for _, what := range s.says {
				if f.outcome == "ok" && e.links[what.kind] == "" && !slices.Contains(f.hidden, what.kind+"="+what.value) {
					ids = append(ids, fmt.Sprintf("%s %s=%s", normalize.Links, what.kind, what.value))
				}
			}
			continue
		}
		lines = append(lines, line)
		whole = whole && f.outcome != "failed" && (f.outcome != "skipped" || s.barred)
		if f.outcome != "ok" {
			continue
		}
		found = true
		if s.gives != "" && members[s.gives] == "" {
			members[s.gives] = map[string]string{"displayName": "name of ", "title": "title of "}[s.gives] + s.name
		}
		for _, what := range s.says {
			own = own || what.kind == s.name
			if !slices.Contains(f.hidden, what.kind+"="+what.value) {
				ids = append(ids, fmt.Sprintf("%s %s=%s", s.name, what.kind, what.value))
			}
		}
	}
	for kind, value := range e.links {
		ids = append(ids, fmt.Sprintf("%s %s=%s", normalize.Links, kind, value))
	}
	slices.Sort(ids)
	if !found {
		return append(lines, "nobody")
	}
	if e.fields != nil {
		maps.DeleteFunc(members, func(name, _ string) bool { return !slices.Contains(e.fields, name) })
		return append(lines, fmt.Sprintf("%q %q %v, id %t", members["displayName"], members["title"], []string(nil), false))
	}
	return append(lines, fmt.Sprintf("%q %q %v, id %t", members["displayName"], members["title"], ids, whole && own))
}

// TestWorlds looks somebody up in twenty thousand worlds, and holds what comes of it
// against the slow evaluator: who was asked, with what and how often, how it went, and
// what is known of the person.
func TestWorlds(t *testing.T) {
	t.Parallel()
	const worlds, bubbles = 20_000, 4
	var mu sync.Mutex
	seen := map[string]int{}
	for bubble := range bubbles {
		t.Run(fmt.Sprint(bubble), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := open(t, live())
				for number := bubble; number < worlds; number += bubbles {
					p := draw(uint64(number))
					p.hurry(rand.New(rand.NewPCG(uint64(number), 5)))
					tenant := fmt.Sprint("world", number)
					g.Swap(p.live(tenant))
					a, err := g.Lookup(t.Context(), gateway.Query{Tenant: tenant, User: p.kind + ":1", Fields: p.fields, Sources: p.only, OperationID: operationID})
					if err != nil {
						t.Fatalf("world %d: %v\n%s", number, err, p)
					}
					got, want := p.told(&a), evaluate(p)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("world %d (-want +got):\n%s\n%s", number, diff, p)
					}
					mu.Lock()
					for _, line := range got[:len(got)-1] {
						what, _, _ := strings.Cut(line[2:], ",")
						seen[what]++
					}
					mu.Unlock()
				}
			})
		})
	}
	t.Cleanup(func() { // a draw in which something never happens would prove nothing of it
		for _, what := range []string{"ok", "absent", "unlinked", "skipped", "failed denied", "failed unavailable", "failed timeout", "failed unresolved", "failed mismatch", "failed invalid"} {
			if seen[what] < 100 {
				t.Errorf("only %d of %q", seen[what], what)
			}
		}
		t.Log(seen)
	})
}

// TestOneAnswer: a thousand times the same is asked of the same world, whose sources
// answer in another order each time, and every time the answer is the same to the byte.
func TestOneAnswer(t *testing.T) {
	t.Parallel()
	const worlds, runs, busy = 2, 1000, 5
	synctest.Test(t, func(t *testing.T) {
		g := open(t, live())
		chosen := 0
		for number := uint64(0); chosen < worlds; number++ {
			first, asked := answered(t, g, number, 0)
			if asked < busy { // where few are asked there is little to get wrong
				continue
			}
			chosen++
			for run := uint64(1); run < runs; run++ {
				if now, _ := answered(t, g, number, run); now != first {
					t.Fatalf("world %d, run %d (-first +now):\n%s\n%s", number, run, cmp.Diff(first, now), draw(number))
				}
			}
		}
	})
}

// answered is all that an answer says but for the time it took, and how many were asked.
func answered(t *testing.T, g *gateway.Gateway, number, run uint64) (text string, asked int) {
	t.Helper()
	p := draw(number)
	p.hurry(rand.New(rand.NewPCG(number, run)))
	tenant := fmt.Sprint("world", number)
	l := p.live(tenant)
	for _, s := range l.Sources {
		s.Hash = fmt.Sprint(number, run) // nobody waits for what an earlier run has begun
	}
	g.Swap(l)
	q := gateway.Query{Tenant: tenant, User: p.kind + ":1", Fields: p.fields, Sources: p.only, OperationID: operationID, Provenance: true}
	q.Want.NoCache = true
	a, err := g.Lookup(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Sources {
		a.Sources[i].Took = nil
	}
	content, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.parties {
		asked += len(s.calls())
	}
	return fmt.Sprintf("%d %s %s %v", a.Status, a.ETag, content, p.told(&a)), asked
}

// TestLearningChangesNoAnswer: in worlds in which nobody errs and nobody is down, an
// answer is the same whatever parts of the person were asked for before; but for keys of
// theirs, which are withheld where nobody has shown a record of them.
// Elsewhere it may be another: links keep a chain alive whose resolver is down, and of sources that
// contradict each other it matters who was asked by what.
func TestLearningChangesNoAnswer(t *testing.T) {
	t.Parallel()
	const worlds = 2000
	synctest.Test(t, func(t *testing.T) {
		g := open(t, live())
		quicker := 0
		for number := range uint64(worlds) {
			r := rand.New(rand.NewPCG(number, 8))
			p := draw(number)
			p.hurry(r)
			p.waves = 10 // who is known from before is nearer
			for kind := range p.links {
				p.links[kind] = "1"
			}
			for kind := range p.more {
				p.more[kind] = "1"
			}
			for _, s := range p.parties {
				s.unfit, s.vouches = "", true
				if s.how != "absent" {
					s.how = "ok"
				}
				for i := range s.says {
					s.says[i].value, s.says[i].verified = "1", true
				}
			}
			lookup := func(tenant string, fields []string) (said, ids []string, waves int) {
				l := p.live(tenant)
				for _, s := range l.Sources { // nothing is kept but what was learned
					s.Keep, s.Hash = adapters.Lifetimes{}, fmt.Sprint("world", number)
				}
				g.Swap(l)
				a, err := g.Lookup(t.Context(), gateway.Query{Tenant: tenant, User: p.kind + ":1", Fields: fields, Sources: p.only, OperationID: operationID})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
				for _, s := range a.Sources {
					said = append(said, fmt.Sprint(s.Source, " ", s.Outcome))
					waves = max(waves, s.Wave)
				}
				if a.Data != nil {
					said = append(said, a.Data.DisplayName, a.Data.Title, fmt.Sprint(a.Data.ID != ""))
					for _, id := range a.Data.Identifiers {
						ids = append(ids, fmt.Sprint(id.Source, " ", id.Kind, "=", id.Value))
					}
				}
				return said, ids, waves
			}
			learned, fresh := fmt.Sprint("learned", number), fmt.Sprint("fresh", number)
			for range 1 + r.IntN(3) {
				lookup(learned, [][]string{nil, {"displayName"}, {"title"}}[r.IntN(3)])
			}
			want, ids, before := lookup(fresh, p.fields)
			got, shown, after := lookup(learned, p.fields)
			if diff := cmp.Diff(want, got) + cmp.Diff(ids, shown); !slices.Equal(want, got) || after > before {
				t.Errorf("world %d: %d waves, and %d with what was learned (-fresh +learned):\n%s\n%s", number, before, after, diff, p)
			}
			if after < before {
				quicker++
			}
		}
		if quicker < worlds/20 {
			t.Errorf("only %d are quicker: nothing is learned", quicker)
		}
	})
}
