package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"muster/adapters"
	"muster/cache"
	"muster/normalize"
)

// What a lookup has learned of who is who is kept under every identifier of the
// person, so that the next lookup by any of them asks all sources at once. It is
// the sources' word, and gives way to it: a source that answers otherwise takes
// its link with it.

// group is what is kept of one person: their identifiers, and their opaque id.
type group struct {
	id    string
	links []link

	// known are all identifiers that the person was met by, also those that lead
	// nobody on (one caller's own, say). They tell what is to be forgotten with them.
	known []name
	begun time.Time // the lookup that found this out
}

// link is one identifier, the source that said so, and when.
type link struct {
	kind, value  string
	trust        Trust
	source, hash string
	at           time.Time
}

// is tells that a link says the same, of whatever time.
func (k link) is(other link) bool {
	other.at = k.at
	return k == other
}

func groupCost(g group) int64 {
	size := int64(len(g.id))
	for _, l := range g.links {
		size += int64(len(l.kind) + len(l.value) + len(l.source) + len(l.hash) + 96)
	}
	for _, k := range g.known {
		size += int64(len(k.kind) + len(k.value) + 32)
	}
	return size
}

func groupKey(tenant, kind, value string) cache.Key {
	return cache.NewKey(tenant, kind, normalize.CanonicalID(kind, value))
}

// remembered is what is kept of a person by an identifier, unless they were purged
// since, or at a time that is given.
func (g *Gateway) remembered(ctx context.Context, tenant string, k name, since time.Time) (group, bool) {
	hit, err := g.links.Get(ctx, groupKey(tenant, k.kind, k.value), cache.Want{OnlyIfCached: true}, nil)
	if err != nil || !hit.Value.begun.After(later(since, g.purges.sinceOf(tenant, hit.Value.known))) {
		return group{}, false
	}
	return hit.Value, true
}

// recall is what is known of the person by the caller's identifiers from earlier
// lookups: the claims, each of its source as it is configured now, and all that is kept
// of them. Where two of them were learned to be different people's, nothing is known.
func (g *Gateway) recall(ctx context.Context, l *Live, a asked, said []claim) (known []claim, of group) {
	since := g.purges.sinceOf(a.tenant.Name, namesOf(said))
	all := map[string]string{}
	for _, own := range a.own {
		met, some := g.remembered(ctx, a.tenant.Name, name{own.Kind, own.Value}, since)
		if !some {
			continue
		}
		if of.id != "" && met.id != "" && of.id != met.id {
			return nil, group{}
		}
		of.id, of.known = cmp.Or(of.id, met.id), union(of.known, met.known)
		if of.begun.IsZero() || met.begun.Before(of.begun) {
			of.begun = met.begun
		}
		for _, k := range met.links {
			if len(a.own) > 1 && contradicts(all, k.kind, k.value) {
				return nil, group{}
			}
			all[k.kind] = k.value
			at := slices.IndexFunc(l.Sources, func(s *Source) bool { return s.Name == k.source && s.Hash == k.hash })
			c := claim{kind: k.kind, value: k.value, trust: k.trust, source: at, learned: true, at: k.at}
			if at >= 0 && l.Sources[at].serves(a.tenant) && a.begun.Sub(k.at) < l.LinksFor && !slices.Contains(known, c) {
				known = append(known, c)
			}
		}
	}
	return known, of
}

// idOf is the opaque id that a person has from an earlier lookup which came by another
// way, and met a record that this one has met. An address or a user name that both met
// is no proof of that: those are lent.
func (g *Gateway) idOf(ctx context.Context, c *chain, slots []slot) string {
	if c.live.LinksFor == 0 {
		return ""
	}
	tenant := c.asked.tenant.Name
	since := g.purges.sinceOf(tenant, namesOf(c.claims))
	for i := range slots {
		if !slots[i].has() || slots[i].source.isLinks() {
			continue
		}
		for _, k := range slots[i].said {
			if several(k.kind) {
				continue
			}
			if met, _ := g.remembered(ctx, tenant, name{k.kind, k.value}, since); met.id != "" {
				return met.id
			}
		}
	}
	return ""
}

// learn keeps what this lookup has found out, if that is more or other than what
// was known. What was asked with the caller's own credential is for that caller
// alone, and not learned. Nor is what is of before the person was purged. That several
// identifiers are one person's is learned of the sources, never of the caller.
func (g *Gateway) learn(ctx context.Context, c *chain, slots []slot, id string) {
	if !c.tied(slots) {
		return
	}
	tenant := c.asked.tenant.Name
	found := group{id: id, known: c.names(slots), begun: c.asked.begun}
	since := g.purges.sinceOf(tenant, found.known)
	if c.live.LinksFor > 0 {
		found.links = c.links(slots)
	}
	if len(found.known) < 2 || c.knew(found) || !found.begun.After(since) {
		return
	}
	if c.live.LinksFor > 0 {
		found.links = append(found.links, g.older(ctx, c, found, since)...)
		for _, k := range found.links {
			found.known = union(found.known, []name{{k.kind, k.value}})
		}
	}
	life := cache.Lifetime{Fresh: c.live.LinksFor + 2*c.live.longest()} // as long as there is something to forget
	for _, k := range found.known {
		if c.leadsOn(k, found) {
			g.links.Put(groupKey(tenant, k.kind, k.value), found, life)
			continue
		}
		met, _ := g.remembered(ctx, tenant, k, since)
		if met.links == nil {
			met.begun = found.begun
		}
		met.known = union(met.known, found.known)
		g.links.Put(groupKey(tenant, k.kind, k.value), met, life)
	}
}

// links are what the lookup has found out, and what was learned before of sources that
// have said nothing now.
func (c *chain) links(slots []slot) (all []link) {
	for i := range slots {
		s := &slots[i]
		if !s.has() || s.query.Caller != nil || s.source.isLinks() { // an operator's word may be withdrawn
			continue
		}
		for _, k := range s.said {
			if s.lent && k.names() && c.unseen(slots, k) { // whose it is nobody knows
				continue
			}
			all = append(all, link{k.kind, k.value, k.trust, s.source.Name, s.source.Hash, c.asked.begun})
		}
	}
	for _, k := range c.claims {
		if !k.learned {
			continue
		}
		if s := &c.steps[k.source]; !s.answered() {
			all = append(all, link{k.kind, k.value, k.trust, s.source.Name, s.source.Hash, k.at})
		}
	}
	return all
}

// older are links that were learned of the same person by another way, of sources that
// have said nothing now: who asks for less does not make others forget more. Where
// anything of a group is not so any more, none of it is taken. An address or a user name
// that two groups share does not make them one person's.
func (g *Gateway) older(ctx context.Context, c *chain, found group, since time.Time) (all []link) {
	for _, k := range found.links {
		if s := c.stepOf(k); s == nil || s.lent || several(k.kind) || k.at != c.asked.begun { // who was met by a lent address may be another
			continue
		}
		met, _ := g.remembered(ctx, c.asked.tenant.Name, name{k.kind, k.value}, since)
		if met.id != "" && found.id != "" && met.id != found.id || !c.agrees(met, found) {
			continue
		}
		for _, old := range met.links {
			if s := c.stepOf(old); s != nil && !s.answered() && !slices.ContainsFunc(slices.Concat(found.links, all), old.is) {
				all = append(all, old)
			}
		}
	}
	return all
}

// stepOf is the source of a link in this lookup; nil where the link is too old or the
// source is another now.
func (c *chain) stepOf(k link) *step {
	at := slices.IndexFunc(c.steps, func(s step) bool { return s.source.Name == k.source && s.source.Hash == k.hash })
	if at < 0 || c.asked.begun.Sub(k.at) >= c.live.LinksFor {
		return nil
	}
	return &c.steps[at]
}

// agrees tells whether a group that was learned before says nothing else than a lookup
// has found out.
func (c *chain) agrees(met, found group) bool {
	return !slices.ContainsFunc(met.links, func(old link) bool {
		same := func(kind, value string) bool { return kind == old.kind && normalize.SameID(kind, value, old.value) }
		if s := c.stepOf(old); s != nil && s.answered() && !slices.ContainsFunc(s.said, func(k claim) bool { return same(k.kind, k.value) }) {
			return true
		}
		return !several(old.kind) && slices.ContainsFunc(found.known, func(k name) bool { return k.kind == old.kind && !same(k.kind, k.value) })
	})
}

// names are all identifiers by which the lookup has met the person.
func (c *chain) names(slots []slot) (all []name) {
	for _, k := range c.claims {
		n := name{k.kind, k.value}
		if (k.source == beforeAll || k.learned || slots[k.source].has()) && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

// union adds names to some; where that would be very many people's, the first remain.
func union(some, more []name) []name {
	const most = 64
	some = slices.Clone(some)
	for _, k := range more {
		if len(some) < most && !slices.Contains(some, k) {
			some = append(some, k)
		}
	}
	return some
}

// leadsOn tells whether what was learned is found by an identifier again: by the
// caller's, and by what sources have said, but for user names, which are another
// system's and not the tenant's.
func (c *chain) leadsOn(k name, found group) bool {
	own := slices.ContainsFunc(c.claims, func(own claim) bool { return own.trust == Own && own.kind == k.kind && own.value == k.value })
	return len(found.links) > 0 && (own || k.kind != kindUsername && slices.ContainsFunc(found.links, func(l link) bool { return l.kind == k.kind && l.value == k.value }))
}

// longest is for how long any record may be kept.
func (l *Live) longest() (longest time.Duration) {
	for _, s := range l.Sources {
		longest = max(longest, s.Keep.TTL+s.Keep.Stale, s.Keep.Negative)
	}
	return longest
}

// tied tells whether the sources say that all of the caller's identifiers are one
// person's: each was asked with, or said by, a record that leads to the first one.
// User names, and addresses that nobody vouches for, tie nothing: others may have them.
func (c *chain) tied(slots []slot) bool {
	if len(c.asked.own) == 1 {
		return true
	}
	reached := accepted{}
	reached.add(claim{kind: c.asked.own[0].Kind, value: c.asked.own[0].Value})
	for grown := true; grown; {
		grown = false
		for i := range slots {
			s := &slots[i]
			if !s.has() || s.source.isLinks() {
				continue
			}
			ties := slices.Clone(s.basis)
			for _, k := range s.said {
				if k.kind != kindUsername && (k.kind != kindEmail || k.trust > Assumed) {
					ties = append(ties, k)
				}
			}
			if !slices.ContainsFunc(ties, reached.has) {
				continue
			}
			for _, k := range ties {
				if !reached.has(k) {
					reached.add(k)
					grown = true
				}
			}
		}
	}
	return !slices.ContainsFunc(c.asked.own, func(id normalize.Identifier) bool {
		return !reached.has(claim{kind: id.Kind, value: id.Value})
	})
}

// knew tells whether all of a group was recalled, and no other link.
func (c *chain) knew(found group) bool {
	if slices.ContainsFunc(found.known, func(k name) bool { return !slices.Contains(c.recalled.known, k) }) {
		return false
	}
	if c.live.LinksFor == 0 {
		return c.asked.begun.Sub(c.recalled.begun) < c.live.longest()
	}
	learned := 0
	for _, k := range c.claims {
		if !k.learned {
			continue
		}
		learned++
		source := c.steps[k.source].source
		if !slices.ContainsFunc(found.links, link{k.kind, k.value, k.trust, source.Name, source.Hash, k.at}.is) {
			return false
		}
	}
	return learned == len(found.links) && found.id == c.id
}

// forget drops what was learned of a person, under every identifier of theirs.
func (g *Gateway) forget(c *chain) {
	for _, k := range c.asked.own {
		g.links.Forget(groupKey(c.asked.tenant.Name, k.Kind, k.Value))
	}
	for _, k := range c.claims {
		if k.learned {
			g.links.Forget(groupKey(c.asked.tenant.Name, k.kind, k.value))
		}
	}
}

// outdated tells whether a source has answered otherwise than it is remembered to
// have said.
func (c *chain) outdated() bool {
	return slices.ContainsFunc(c.claims, func(k claim) bool {
		return k.learned && c.steps[k.source].answered() && !slices.ContainsFunc(c.steps[k.source].said, func(now claim) bool {
			return now.kind == k.kind && normalize.SameID(k.kind, now.value, k.value)
		})
	})
}

// identity is the person's opaque id: the one that was learned, else one that is
// made of the identifier that the first source in order has for them. It is the same
// whatever identifier led to the person, so it is only made where all sources were
// asked and none has failed; and it is never made of an address or a user name.
func (c *chain) identity(slots []slot) string {
	if c.id != "" {
		return c.id
	}
	if c.asked.linksDown {
		return ""
	}
	for i := range slots {
		switch s := &slots[i]; {
		case s.source.isLinks(): // but that they could not be asked, what comes of them is no source's
			if s.from != "" && s.outcome == Failed && s.fault.Kind != adapters.Mismatch {
				return ""
			}
		case s.outcome == Failed, s.skip == Skipped && s.source.serves(c.asked.tenant):
			return ""
		}
	}
	for i := range slots {
		s := &slots[i]
		for _, k := range s.said {
			if (s.outcome == OK || s.outcome == Partial) && k.kind == s.source.Name {
				sum := sha256.Sum256([]byte(strings.Join([]string{"muster id", c.asked.tenant.Name, k.kind, k.value}, "\x00")))
				return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:15]))
			}
		}
	}
	return ""
}
