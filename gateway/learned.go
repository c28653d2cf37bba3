package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"

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
}

// link is one identifier, and the source that said so.
type link struct {
	kind, value  string
	trust        Trust
	source, hash string
}

func groupCost(g group) int64 {
	size := int64(len(g.id))
	for _, l := range g.links {
		size += int64(len(l.kind) + len(l.value) + len(l.source) + len(l.hash) + 64)
	}
	return size
}

func groupKey(tenant, kind, value string) cache.Key {
	return cache.NewKey(tenant, kind, normalize.CanonicalID(kind, value))
}

// recall is what is known of the person by the caller's identifiers from earlier
// lookups: the claims, each of its source as it is configured now, and the group's
// id. Where two of them were learned to be different people's, nothing is known.
func (g *Gateway) recall(ctx context.Context, l *Live, a asked) (known []claim, id string) {
	if l.LinksFor == 0 { // though some may be left of a configuration before
		return nil, ""
	}
	all := map[string]string{}
	for _, own := range a.own {
		hit, err := g.links.Get(ctx, groupKey(a.tenant.Name, own.Kind, own.Value), cache.Want{OnlyIfCached: true}, nil)
		if err != nil {
			continue
		}
		group := hit.Value
		if id != "" && group.id != "" && group.id != id {
			return nil, ""
		}
		id = cmp.Or(id, group.id)
		for _, k := range group.links {
			if len(a.own) > 1 && contradicts(all, k.kind, k.value) {
				return nil, ""
			}
			all[k.kind] = k.value
			at := slices.IndexFunc(l.Sources, func(s *Source) bool { return s.Name == k.source && s.Hash == k.hash })
			c := claim{kind: k.kind, value: k.value, trust: k.trust, source: at, learned: true}
			if at >= 0 && l.Sources[at].serves(a.tenant) && !slices.Contains(known, c) {
				known = append(known, c)
			}
		}
	}
	return known, id
}

// idOf is the opaque id that a person has from an earlier lookup which came by another
// way, and met a record that this one has met. An address or a user name that both met
// is no proof of that: those are lent.
func (g *Gateway) idOf(ctx context.Context, l *Live, t *Tenant, slots []slot) string {
	if l.LinksFor == 0 {
		return ""
	}
	for i := range slots {
		if slots[i].outcome != OK && slots[i].outcome != Partial {
			continue
		}
		for _, k := range slots[i].said {
			if several(k.kind) {
				continue
			}
			hit, err := g.links.Get(ctx, groupKey(t.Name, k.kind, k.value), cache.Want{OnlyIfCached: true}, nil)
			if err == nil && hit.Value.id != "" {
				return hit.Value.id
			}
		}
	}
	return ""
}

// learn keeps what this lookup has found out, if that is more or other than what
// was known. What was asked with the caller's own credential is for that caller
// alone, and not learned; and that several identifiers are one person's is learned
// of the sources, never of the caller.
func (g *Gateway) learn(c *chain, slots []slot, id string) {
	if !c.tied(slots) {
		return
	}
	found := group{id: id}
	for i := range slots {
		s := &slots[i]
		if s.outcome != OK && s.outcome != Partial || s.query.Caller != nil {
			continue
		}
		for _, k := range s.said {
			found.links = append(found.links, link{k.kind, k.value, k.trust, s.source.Name, s.source.Hash})
		}
	}
	for _, k := range c.claims {
		if k.learned && !c.steps[k.source].answered() { // its source has said nothing now
			found.links = append(found.links, link{k.kind, k.value, k.trust, c.steps[k.source].source.Name, c.steps[k.source].source.Hash})
		}
	}
	if c.live.LinksFor == 0 || len(found.links) == 0 || c.knew(found) {
		return
	}
	for _, k := range c.asked.own {
		g.links.Put(groupKey(c.asked.tenant.Name, k.Kind, k.Value), found, cache.Lifetime{Fresh: c.live.LinksFor})
	}
	for _, k := range found.links {
		if k.kind != kindUsername { // another system's user names are not the tenant's
			g.links.Put(groupKey(c.asked.tenant.Name, k.kind, k.value), found, cache.Lifetime{Fresh: c.live.LinksFor})
		}
	}
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
			if s.outcome != OK && s.outcome != Partial {
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

// knew tells whether all of a group was recalled, and nothing else.
func (c *chain) knew(found group) bool {
	learned := 0
	for _, k := range c.claims {
		if !k.learned {
			continue
		}
		learned++
		source := c.steps[k.source].source
		if !slices.Contains(found.links, link{k.kind, k.value, k.trust, source.Name, source.Hash}) {
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
		if slots[i].outcome == Failed || slots[i].skip == Skipped && slots[i].source.serves(c.asked.tenant) {
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
