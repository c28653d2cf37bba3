package draft

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"muster/config/document"
)

var (
	mailWord     = regexp.MustCompile(`^(user|primary|work|business|office|company|corporate|home|personal|private|secondary|second|alternate|alternative|other|contact|backup|public)?(e?mails?|emailaddress|emailaddresses|mailaddress|emailaddr|smtpaddress)([0-9])?$`)
	anyMailWord  = regexp.MustCompile(`^(e?mail|emailaddress)s?$`)
	verifiedWord = regexp.MustCompile(`^(is)?(?:verified(.*mail.*)|(.*mail.*?)(?:is)?(?:verified|confirmed|validated|verification|verifiedat|confirmedat))$`)
	otherWord    = regexp.MustCompile(`secondary|second|alternat|other|contact|backup|recovery`)
	homeWord     = regexp.MustCompile(`home|personal|private`)
	workWord     = regexp.MustCompile(`work|business|office|company|corporate`)
	mobileWord   = regexp.MustCompile(`mobile|cell`)
	phoneWord    = regexp.MustCompile(`^(user|primary|work|business|office|company|home|personal|private|secondary|other|contact|main|direct)?(phones?|phonenumbers?|telephones?|telephonenumbers?|tel|mobile|mobiles|mobilephones?|mobilenumbers?|mobilephonenumber|cell|cellphones?|cellphonenumber|phoneno|mobileno|msisdn)([0-9])?$`)
)

// typeOf is what a member's name says of the address or number that it holds.
func typeOf(word string) string {
	switch {
	case mobileWord.MatchString(word):
		return "mobile"
	case homeWord.MatchString(word):
		return "home"
	case workWord.MatchString(word):
		return "work"
	case otherWord.MatchString(word):
		return "other"
	default:
		return ""
	}
}

// emails finds addresses in texts, in lists of texts, and in lists of objects.
func (g *guess) emails() {
	all := list()
	g.root.walk(func(s *shape) bool {
		if s.object && !s.inList && (mailWord.MatchString(s.word) || s.list && strings.Contains(s.word, "address") || strings.Contains(s.word, "mail")) {
			if item, ok := g.emailObjects(s); ok {
				all.items = append(all.items, item)
				return false
			}
		}
		return !s.list && !foreignWord.MatchString(s.word)
	})
	for _, l := range g.mailLeaves() {
		path := text(l.text())
		item := mapping(at("value", path))
		flag, kind := g.verifiedFlag(l.shape), typeOf(l.word)
		switch {
		case flag != nil:
			item.pairs = append(item.pairs, at("verified", *flag))
		case kind != "":
			item.pairs = everyOf(l.shape)
		}
		if kind != "" {
			item.pairs = append(item.pairs, at("type", constant(kind)))
		}
		l.take("emails")
		if g.email == nil && sendable(strings.TrimSpace(l.first())) {
			g.email = l.shape
		}
		if len(item.pairs) == 1 {
			item = path
		}
		all.items = append(all.items, item)
		if l.list && flag != nil { // of a list the flag speaks for the first address alone
			all.items = append(all.items, path)
		}
	}
	g.setList("emails", all)
}

// everyOf makes an item of every text at a shape.
func everyOf(s *shape) []pair {
	if s.list {
		return []pair{at("each", text(s.text())), at("value", text("."))}
	}
	return []pair{at("value", text(s.text()))}
}

// mailLeaves are the addresses outside of lists of objects, the person's main one
// first.
func (g *guess) mailLeaves() []leaf {
	var main, other []leaf
	for _, l := range g.leaves {
		if l.used != "" || l.meta || l.inList || !slices.ContainsFunc(l.words, mailWord.MatchString) {
			continue
		}
		switch {
		case l.says() && !l.every(looksLikeMail):
			l.why = "not an e-mail address"
		case typeOf(l.word) == "other":
			other = append(other, l)
		default:
			main = append(main, l)
		}
	}
	return append(main, other...)
}

// verifiedFlag finds the flag that speaks for an address: it is called by the
// address's own name, or by e-mail in general where that is what the address is
// called.
func (g *guess) verifiedFlag(mail *shape) *yaml {
	for _, l := range g.leaves {
		found := verifiedWord.FindStringSubmatch(l.word)
		if found == nil || l.used != "" || l.inList {
			continue
		}
		of := strings.TrimSuffix(found[2]+found[3], "is")
		if of != mail.word && !(anyMailWord.MatchString(of) && (anyMailWord.MatchString(mail.word) || mail.word == "primaryemail")) {
			continue
		}
		value, ok := proof(l.shape)
		if !ok {
			l.why = "it may say that the address is verified, in a way that is not known"
			continue
		}
		l.take("emails.verified")
		return &value
	}
	return nil
}

// proof is the value of `verified`: a flag, a word that says so, or an instant
// since when.
func proof(s *shape) (yaml, bool) {
	switch {
	case len(s.values) == 1 && isFlag(s):
		return flagYAML(s, false), true
	case len(s.values) == 1 && instantShape.MatchString(s.first()):
		return mapping(at("path", text(s.text())), at("map", mapping(at("*", yaml{scalar: "true"})))), true
	default:
		return yaml{}, false
	}
}

// proofCondition asks, under `when`, what proof says.
func proofCondition(s *shape) yaml {
	value := yaml{scalar: "true"}
	switch {
	case s.every(isBool):
	case isFlag(s):
		flag := s.first()
		if on, _ := flagOf(flag); !on {
			m := flagMap(flag, false)
			flag = strings.Trim(m.pairs[0].key, `"`)
		}
		value = text(flag)
		if s.every(isNumber) {
			value = yaml{scalar: flag}
		}
	default:
		value = text("*")
	}
	return mapping(at(conditionKey(s.text()), value))
}

// emailObjects reads a list of objects, or one, that hold addresses.
func (g *guess) emailObjects(s *shape) (yaml, bool) {
	value := s.child("value email address mail emailaddress emailaddr")
	if value == nil || !value.scalar() || recoveryWord.MatchString(s.word) {
		return yaml{}, false
	}
	via := s.child("via type channel kind medium system")
	mixed := via != nil && slices.ContainsFunc(via.values, func(v any) bool { return v == "email" })
	if !value.every(func(v any) bool { return looksLikeMail(v) || mixed }) {
		return yaml{}, false
	}
	item := mapping(at("each", text(s.text())))
	if mixed {
		item.pairs = append(item.pairs, at("value", mapping(at("path", text(value.within(s))), at("when", mapping(at(via.within(s), text("email")))))))
		via.take("emails.value")
	} else {
		item.pairs = append(item.pairs, at("value", text(value.within(s))))
		if kind := s.child("type label kind category usage"); kind != nil && kind.every(isText) {
			item.pairs = append(item.pairs, at("type", text(kind.take("emails.type").within(s))))
		}
	}
	value.take("emails.value")
	if primary := s.child("primary isprimary preferred default isdefault main"); primary != nil && primary.every(isBool) {
		item.pairs = append(item.pairs, at("primary", text(primary.take("emails.primary").within(s))))
	}
	if verified := s.child("verified isverified emailverified confirmed isconfirmed validated"); verified != nil && verified.every(isBool) {
		item.pairs = append(item.pairs, at("verified", text(verified.take("emails.verified").within(s))))
		g.provedBy(s, value, verified, via, mixed)
	}
	if g.email == nil && sendable(strings.TrimSpace(value.first())) {
		g.email = value
	}
	return item, true
}

var recoveryWord = regexp.MustCompile(`recovery`)

// provedBy yields the first address of a list whose own flag says that it is
// verified. A path could not: its condition would hold of any other address.
func (g *guess) provedBy(s, value, verified, via *shape, mixed bool) {
	if g.proved {
		return
	}
	g.proved = true
	from := "data"
	for _, name := range s.path {
		from += celMember(name)
	}
	asks := "e" + celMember(verified.name) + " == true"
	if mixed {
		asks = "e" + celMember(via.name) + ` == "email" && ` + asks
	}
	if !s.list {
		g.ids = append(g.ids, at("email", mapping(at("path", text(value.text())), at("when", proofCondition(verified)))))
		return
	}
	cel := fmt.Sprintf("%s.filter(e, %s).map(e, e%s)", from, asks, celMember(value.name))
	g.ids = append(g.ids, at("email", mapping(at("cel", text(cel)), at("when", mapping(at(conditionKey(verified.text()), yaml{scalar: "true"}))))).
		because("the first that is verified"))
}

// celMember selects a member in CEL.
func celMember(name string) string {
	if celName.MatchString(name) && !celReserved.MatchString(name) {
		return "." + name
	}
	return "[" + document.Quote(name) + "]"
}

var (
	celName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	celReserved = regexp.MustCompile(`^(as|break|const|continue|else|false|for|function|if|import|in|let|loop|package|namespace|null|return|true|var|void|while)$`)
)

// emailIdentifier yields the address only where a flag beside it speaks for it.
func (g *guess) emailIdentifier() {
	if g.proved || g.email == nil {
		return
	}
	for _, m := range g.membersCalled("emails") {
		items := m.value.items
		if m.value.form != asList {
			items = []yaml{m.value}
		}
		for i := range items {
			verified := items[i].get("verified")
			value := items[i].get("value")
			if verified == nil || value == nil || value.scalar != scalarText(g.email.text()) || items[i].get("each") != nil {
				continue
			}
			path := verified.scalar
			if verified.form == asMapping {
				path = verified.get("path").scalar
			}
			g.root.walk(func(s *shape) bool {
				if !g.proved && s.used == "emails.verified" && scalarText(s.text()) == path {
					g.proved = true
					g.ids = append(g.ids, at("email", mapping(at("path", text(g.email.text())), at("when", proofCondition(s)))))
				}
				return true
			})
		}
	}
}

func (g *guess) phones() {
	all := list()
	g.root.walk(func(s *shape) bool {
		if s.object && !s.inList && phoneWord.MatchString(s.word) {
			if value := s.child("value number phone phonenumber telephone e164 mobile"); value != nil && value.every(isTextual) {
				item := mapping(at("each", text(s.text())), at("value", text(value.take("phoneNumbers.value").within(s))))
				if kind := s.child("type label kind category usage"); kind != nil && kind.every(isText) {
					item.pairs = append(item.pairs, at("type", text(kind.take("phoneNumbers.type").within(s))))
				}
				all.items = append(all.items, item)
			}
			return false
		}
		return !s.list && !foreignWord.MatchString(s.word)
	})
	for _, l := range g.leaves {
		if l.used != "" || l.meta || l.inList || !slices.ContainsFunc(l.words, phoneWord.MatchString) {
			continue
		}
		if l.says() && !l.every(isTextual) {
			l.why = "no telephone number"
			continue
		}
		item := text(l.take("phoneNumbers").text())
		if kind := typeOf(l.word); kind != "" {
			item = mapping(append(everyOf(l.shape), at("type", constant(kind)))...)
		}
		all.items = append(all.items, item)
	}
	g.setList("phoneNumbers", all)
}

// addressParts are the members of an address, each with what systems call it.
func addressParts() []struct{ member, words string } {
	return []struct{ member, words string }{
		{"streetAddress", "streetaddress street addressline1 line1 address1 street1 addressline"},
		{"locality", "locality city town cityname municipality"},
		{"region", "region state province stateprovince stateorprovince statecode statename county"},
		{"postalCode", "postalcode zip zipcode postcode postalzip zippostalcode"},
		{"country", "countrycode country countryname countryiso"},
	}
}

// isAddress tells whether an object holds a postal address.
func isAddress(s *shape) bool {
	return s.object && strings.Contains(s.word, "address") && s.child("street streetaddress city locality postalcode zip zipcode postcode country countrycode addressline1 line1") != nil
}

func (g *guess) addresses() {
	all := list()
	g.root.walk(func(s *shape) bool {
		if !s.inList && isAddress(s) {
			item := mapping(at("each", text(s.text())))
			for _, part := range addressParts() {
				if m := s.child(part.words); m != nil && m.scalar() && (len(m.values) == 0 || m.every(isTextual)) {
					item.pairs = append(item.pairs, at(part.member, text(m.take("addresses."+part.member).within(s))))
				}
			}
			if kind := s.child("type label kind category"); kind != nil && kind.every(isText) {
				item.pairs = append(item.pairs, at("type", text(kind.take("addresses.type").within(s))))
			} else if kind := typeOf(s.word); kind != "" {
				item.pairs = append(item.pairs, at("type", constant(kind)))
			}
			if len(item.pairs) > 1 {
				all.items = append(all.items, item)
			}
			return false
		}
		return !s.list && !foreignWord.MatchString(s.word) && !organizationWord.MatchString(s.word)
	})
	// Parts that stand beside each other: a lone one says too little, but for the
	// country.
	flat := mapping()
	place := g.find("city town locality zip zipcode postalcode postcode street streetaddress addressline1 country countrycode", single)
	for _, part := range addressParts() {
		words := part.words
		if part.member == "streetAddress" {
			words += " address"
		}
		if value := g.scalar("addresses."+part.member, words, func(l leaf) string {
			if len(place) == 0 {
				return "a part of an address, with nothing else of one beside it"
			}
			if _, known := stateOf(l.first()); known && l.word == "state" {
				return "no region"
			}
			if looksLikeMail(l.first()) && l.says() {
				return "an e-mail address"
			}
			return single(l)
		}); value != nil {
			flat.pairs = append(flat.pairs, at(part.member, *value))
		}
	}
	if len(flat.pairs) > 0 {
		all.items = append(all.items, flat)
	}
	g.setList("addresses", all)
}

// organizations are lists of them, and an object that has an identifier.
func (g *guess) organizations() {
	all := list()
	g.root.walk(func(s *shape) bool {
		if s.object && !s.inList && organizationWord.MatchString(s.word) {
			value := s.child("id value key orgid organizationid name login code")
			if value == nil || !value.every(isTextual) {
				return true
			}
			item := mapping(at("each", text(s.text())), at("value", text(value.take("organizations.value").within(s))))
			if display := s.child("displayname display name title login"); display != nil && display != value && display.every(isTextual) {
				item.pairs = append(item.pairs, at("display", text(display.take("organizations.display").within(s))))
			}
			all.items = append(all.items, item)
			return true
		}
		return !s.list && !foreignWord.MatchString(s.word)
	})
	for _, l := range g.leaves {
		if l.used == "" && !l.inList && !l.meta && l.list && organizationWord.MatchString(l.word) && l.every(isTextual) {
			all.items = append(all.items, text(l.take("organizations").text()))
		}
	}
	g.setList("organizations", all)
	g.groups()
}

func (g *guess) groups() {
	all := list()
	taken := ""
	g.root.walk(func(s *shape) bool {
		if !groupWord.MatchString(s.word) || secretName(s.name) || s.inList && s.scalar() {
			return !s.list && !foreignWord.MatchString(s.word)
		}
		switch {
		case s.object:
			value := s.child("value id key name code")
			if value == nil || !value.every(isTextual) {
				return false
			}
			item := mapping(at("each", text(s.text())), at("value", text(value.take("groups.value").within(s))))
			if display := s.child("display displayname name title label"); display != nil && display != value && display.every(isTextual) {
				item.pairs = append(item.pairs, at("display", text(display.take("groups.display").within(s))))
			}
			all.items = append(all.items, item)
		case !s.says():
		case s.every(isTextual) && taken == "":
			all.items, taken = append(all.items, text(s.take("groups").text())), s.text()
		case s.every(isTextual):
			s.why = "another list of groups beside " + taken + ": their items belong together, and no path pairs them"
		}
		return false
	})
	g.setList("groups", all)
}

// roles are texts, lists of texts and lists of objects, wherever they stand; and
// flags that say who is an administrator.
func (g *guess) roles() {
	all := list()
	why := ""
	g.root.walk(func(s *shape) bool {
		switch {
		case secretName(s.name) || foreignWord.MatchString(s.word) || managerWord.MatchString(s.word):
			return false
		case !roleWord.MatchString(s.word) && s.word != "roleids":
			return true
		case s.object:
			item, comment := g.roleObjects(s)
			if comment != "" {
				why = comment
			}
			if len(item.pairs) > 0 {
				all.items = append(all.items, item)
				return true
			}
		case s.says() && s.every(isTextual):
			path := text(s.take("roles").text())
			if scope := g.scopeAround(s); scope != nil {
				path = mapping(at("each", path), at("value", text(".")), at("scope", *scope))
			}
			all.items = append(all.items, path)
		}
		return true
	})
	for _, l := range g.find("admin isadmin siteadmin issiteadmin administrator isadministrator superuser issuperuser superadmin issuperadmin owner isowner", func(l leaf) string {
		if l.says() && !isFlag(l.shape) || !l.says() {
			return "neither true nor false"
		}
		return ""
	}) {
		role := "admin"
		if strings.Contains(l.word, "owner") {
			role = "owner"
		} else if strings.Contains(l.word, "super") {
			role = "superuser"
		}
		yes := "true"
		if !l.every(isBool) {
			yes = strings.Trim(flagMap(l.first(), false).pairs[0].key, `"`)
		}
		key := at(yes, text(role))
		if yes == "true" {
			key.key = yes
		}
		all.items = append(all.items, mapping(at("value", mapping(at("path", text(l.take("roles").text())), at("map", mapping(key))))))
		if why == "" {
			why = "guessed: that a flag is worth a role"
		}
	}
	g.setList("roles", all)
	if roles := g.membersCalled("roles"); why != "" && len(roles) > 0 {
		for i := range g.members {
			if g.members[i].key == "roles" {
				g.members[i].comment = why
			}
		}
	}
}

func (g *guess) roleObjects(s *shape) (item yaml, comment string) {
	value := s.child("name value code key rolename role authority slug id")
	if value == nil || !value.scalar() || !value.every(isTextual) {
		return yaml{}, ""
	}
	item = mapping(at("each", text(s.text())), at("value", text(value.take("roles.value").within(s))))
	add := func(member string, found *shape, test func(any) bool) {
		if found != nil && found != value && found.scalar() && found.used == "" && (found.every(test) || !found.says() && !found.list) {
			item.pairs = append(item.pairs, at(member, text(found.take("roles."+member).within(s))))
		}
	}
	add("display", s.child("displayname display title label description"), isTextual)
	add("type", s.child("type kind category"), isText)
	if scope := s.child("scope resource context"); scope != nil {
		add("scope", scope, isTextual)
	} else if scope := g.scopeAround(s); scope != nil {
		item.pairs = append(item.pairs, at("scope", *scope))
	}
	if permissions := s.child("permissions privileges rights scopes actions grants"); permissions != nil {
		if permissions.object {
			if name := permissions.child("name value code key id"); name != nil && name.every(isTextual) {
				item.pairs = append(item.pairs, at("permissions", text(name.take("roles.permissions").within(s))))
			}
		} else if permissions.every(isTextual) || permissions.list && !permissions.says() {
			item.pairs = append(item.pairs, at("permissions", text(permissions.take("roles.permissions").within(s))))
		}
	}
	if until := s.child("expiresat expires expiry expirydate expirationdate validuntil validto until enddate expireson"); until != nil && until.says() {
		value, why, problem := instantOf(until, s)
		if problem != "" {
			until.why = problem
		} else {
			item.pairs = append(item.pairs, at("expiresAt", value))
			until.take("roles.expiresAt")
			if why != "" {
				comment = "expiresAt " + why
			}
		}
	}
	return item, comment
}

// instantOf is instantYAML for an item of a list.
func instantOf(s, around *shape) (yaml, string, string) {
	one := *s
	one.values = s.values[:1]
	value, comment, why := instantYAML(&one)
	path := text(s.within(around))
	if value.form == asMapping {
		value.pairs[0].value = path
		return value, comment, why
	}
	return path, comment, why
}

// scopeAround is the name of what the list of roles stands in, where that is an
// item of a list itself: its organization, its service.
func (g *guess) scopeAround(s *shape) *yaml {
	around := s.parent
	if around == nil || !around.list || around == g.root {
		return nil
	}
	name := around.child("servicename name id value key orgid code slug")
	if name == nil || !name.scalar() || !name.every(isTextual) {
		return nil
	}
	if name.used == "" {
		name.take("roles.scope")
	}
	path := name.within(around)
	if !strings.HasPrefix(path, "[") {
		path = "." + path
	}
	value := text("^" + path)
	return &value
}
