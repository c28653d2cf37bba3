package draft

import (
	"regexp"
	"slices"
	"strings"

	"muster/adapters"
	"muster/normalize"
)

// guess is what a record's shape seems to say, member by member.
type guess struct {
	root    *shape
	leaves  []leaf
	members []pair // of profile, in the order of the grammar
	ids     []pair

	self, email, user, oid *shape // by which the person may be asked for
	tenants                []*shape
	proved                 bool // the e-mail address is yielded as an identifier
}

// leaf is a shape with values, and how far its name can be trusted.
type leaf struct {
	*shape
	words  []string // by which it may be known
	strict bool     // in an object that nobody knows: only names that speak for themselves
	meta   bool     // in an object about the record: instants alone
}

// guessed reads a record's shape.
func guessed(root *shape) *guess {
	g := &guess{root: root}
	g.collect(root, false, false)
	g.identifiers()
	g.names()
	g.emails()
	g.phones()
	g.addresses()
	g.languages()
	g.active()
	g.work()
	g.roles()
	g.links()
	g.instants()
	g.emailIdentifier()
	g.sort()
	return g
}

// collect gathers what may be a member's value.
func (g *guess) collect(s *shape, strict, meta bool) {
	for _, m := range s.members {
		switch {
		case secretName(m.name):
			m.why = "called like a secret: never mapped, and left out of the test"
		case m.scalar():
			l := leaf{shape: m, words: []string{m.word}, strict: strict, meta: meta}
			if s.word == "name" || s.word == "names" {
				l.words, l.strict = append([]string{"name." + m.word}, l.words...), true
			}
			if short := ownPrefix.ReplaceAllString(m.word, ""); short != m.word && short != "" && !genericWord.MatchString(short) {
				l.words = append(l.words, short)
			}
			g.leaves = append(g.leaves, l)
		case m.list:
			// the rules for lists look for them by name
		case foreignWord.MatchString(m.word), managerWord.MatchString(m.word), organizationWord.MatchString(m.word),
			departmentWord.MatchString(m.word), roleWord.MatchString(m.word), groupWord.MatchString(m.word):
		case metaWord.MatchString(m.word):
			g.collect(m, true, true)
		case isAddress(m):
		case m.word == "name" || m.word == "names":
			g.collect(m, true, false)
		case containerWord.MatchString(m.word), strings.HasPrefix(m.name, "urn:"):
			g.collect(m, strict, meta)
		default:
			g.collect(m, true, meta)
		}
	}
}

var (
	ownPrefix      = regexp.MustCompile(`^(user|employee|person|member|account|profile|contact)`)
	genericWord    = regexp.MustCompile(`^(name|id|ids|title|type|kind|status|state|url|created|updated|modified|roles?|language|lang|active|enabled|disabled|deleted|login|picture|image|description|first|last|given|family|prefix|uid|sub|location|position|alias|code|value|number|info|key|group|groups|admin|handle|company|organization|org|o|tz|photo|date|guid|uuid|website)$`)
	metaWord       = regexp.MustCompile(`^(meta|metadata|audit|timestamps|dates|auditinfo|history)$`)
	managerWord    = regexp.MustCompile(`^(manager|supervisor|linemanager|reportsto|directmanager)$`)
	employerWord   = regexp.MustCompile(`^(organi[sz]ation|company|employer|org)$`)
	photoWord      = regexp.MustCompile(`^(user|profile)?(picture|photo|avatar|image|thumbnail|thumbnailphoto)(url|uri|link|href|original|[0-9]+)?$`)
	photosWord     = regexp.MustCompile(`^(photos|pictures|images|avatars|picture|photo|avatar|image)$`)
	departmentWord = regexp.MustCompile(`^(department|dept|orgunit|organizationalunit)$`)
)

// find are the leaves that nobody has yet and that are called by one of the
// words: those of an earlier word first, those that say something before others.
func (g *guess) find(words string, test func(leaf) string) []leaf {
	var said, silent []leaf
	for _, word := range strings.Fields(words) {
		for _, l := range g.leaves {
			if l.used != "" || l.meta || l.inList || !slices.Contains(l.words, word) || l.strict && genericWord.MatchString(word) {
				continue
			}
			if slices.ContainsFunc(slices.Concat(said, silent), func(other leaf) bool { return other.shape == l.shape }) {
				continue
			}
			if why := test(l); why != "" {
				if l.why == "" {
					l.why = why
				}
				continue
			}
			if l.says() {
				said = append(said, l)
			} else {
				silent = append(silent, l)
			}
		}
	}
	return append(said, silent...)
}

// single asks for one text.
func single(l leaf) string {
	switch {
	case len(l.values) > 1:
		return "several values, and there is one member of that kind"
	case len(l.values) == 1 && !isTextual(l.values[0]):
		return "true or false, where a text is needed"
	default:
		return ""
	}
}

// scalar fills a member by the first path that is called by one of the words.
// Others that say the same, or stand where it says nothing, are its second choices.
func (g *guess) scalar(member, words string, test func(leaf) string) *yaml {
	all := g.find(words, test)
	if len(all) == 0 {
		return nil
	}
	paths := []yaml{text(all[0].take(member).text())}
	for _, l := range all[1:] {
		if l.says() && l.first() == all[0].first() && len(paths) < 3 {
			paths = append(paths, text(l.take(member).text()))
		} else if l.why == "" && l.says() {
			l.why = "a second candidate for " + member + ", which is taken from " + all[0].text()
		}
	}
	value := paths[0]
	if len(paths) > 1 {
		value = list(paths...)
	}
	return &value
}

// set adds a member to the profile.
func (g *guess) set(member string, value *yaml, why string) {
	if value != nil {
		g.members = append(g.members, at(member, *value).because(why))
	}
}

func (g *guess) identifiers() {
	for _, l := range g.find("id sub uuid guid userid useruuid userguid uid subject personid memberid accountid employeeuuid objectguid nodeid", single) {
		if l.says() && !sendable(strings.TrimSpace(l.first())) {
			l.why = "no value that an identifier could have"
		} else if l.says() && g.self == nil && !looksLikeMail(l.values[0]) {
			g.self = l.shape
		} else if l.why == "" {
			l.why = "another identifier: give it a kind of its own under `ids`, if a second source is asked with it"
		}
	}
	for _, l := range g.find("oid principaloid objectid azureoid azureobjectid entraoid entraobjectid aadobjectid", single) {
		if adapters.Fits("uuid", l.first()) && g.oid == nil && l.shape != g.self {
			g.oid = l.shape
			g.oid.take("ids.oid")
		}
	}
	for _, l := range g.leaves {
		if tenantWord.MatchString(l.word) && !l.inList && len(l.values) == 1 && isTextual(l.values[0]) && sendable(l.first()) {
			g.tenants = append(g.tenants, l.shape)
		}
	}
	if g.self != nil {
		g.self.take("ids.self")
		g.self.why = ""
		g.ids = append(g.ids, at("self", text(g.self.text())))
	}
	if g.oid != nil {
		g.ids = append(g.ids, at("oid", text(g.oid.text())))
	}
}

var tenantWord = regexp.MustCompile(`^(tenant|tenantid|org|orgid|organizationid|realm|realmid|customerid|workspace|workspaceid|teamid|domain|defaultorgid)$`)

func (g *guess) names() {
	g.set("userName", g.scalar("userName", "username preferredusername login loginname loginid userprincipalname upn samaccountname acct accountname handle screenname logon logonname userlogin user uid", single), "")
	for _, m := range g.members {
		first := m.value
		if first.form == asList {
			first = first.items[0]
		}
		for _, l := range g.leaves {
			if sendable(strings.TrimSpace(l.first())) && scalarText(l.text()) == first.scalar {
				g.user = l.shape
			}
		}
	}
	g.set("displayName", g.scalar("displayName", "displayname fullname realname name cn commonname persondisplayname preferredname", single), "")
	g.set("nickName", g.scalar("nickName", "nickname nick knownas", single), "")
	honorific := func(l leaf) string {
		if !slices.Contains(strings.Fields("mr mrs ms miss mx dr prof professor sir dame herr frau m. mme"), strings.TrimSuffix(strings.ToLower(l.first()), ".")) {
			return "no form of address"
		}
		return single(l)
	}
	prefix := g.scalar("name.honorificPrefix", "honorificprefix salutation name.prefix title name.title courtesytitle", func(l leaf) string {
		if l.word == "honorificprefix" {
			return single(l)
		}
		return honorific(l)
	})
	for _, l := range g.leaves { // what is no form of address may be a title after all
		if l.why == "no form of address" {
			l.why = ""
		}
	}
	g.set("title", g.scalar("title", "jobtitle title businesstitle position jobposition positiontitle designation occupation", single), "")
	g.set("userType", g.scalar("userType", "usertype accounttype employeetype employmenttype persontype workertype membertype type", func(l leaf) string {
		if l.word == "type" && g.root.child("attributes") != nil {
			return "the type of the resource, not of the person"
		}
		return single(l)
	}), "")
	name := mapping()
	add := func(part string, value *yaml) {
		if value != nil {
			name.pairs = append(name.pairs, at(part, *value))
		}
	}
	add("givenName", g.scalar("name.givenName", "givenname firstname fname forename given firstnames legalfirstname gn name.first name.given", single))
	add("familyName", g.scalar("name.familyName", "familyname lastname surname lname sn family legallastname name.last name.family", single))
	add("middleName", g.scalar("name.middleName", "middlename middleinitial mname middle name.middle", single))
	add("honorificPrefix", prefix)
	add("formatted", g.scalar("name.formatted", "formattedname name.formatted name.full realname", single))
	if len(name.pairs) == 0 {
		for _, l := range g.leaves { // a name that nobody takes apart
			if l.used == "displayName" && slices.Contains(strings.Fields("name fullname realname cn commonname"), l.word) {
				add("formatted", &yaml{scalar: scalarText(l.text())})
				break
			}
		}
	}
	if len(name.pairs) > 0 {
		g.set("name", &name, "")
	}
}

func (g *guess) languages() {
	g.set("locale", g.scalar("locale", "locale userlocale localeid culture", single), "")
	g.set("preferredLanguage", g.scalar("preferredLanguage", "preferredlanguage language preferredlang lang uilanguage languagecode", single), "")
	g.set("timezone", g.scalar("timezone", "timezone tz zoneinfo timezoneid timezonename ianatimezone timezonesidkey", func(l leaf) string {
		if zone := l.first(); zone != "" && zone != "UTC" && !zoneName.MatchString(zone) {
			return "no name of the IANA time zone database"
		}
		return single(l)
	}), "")
}

var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+$`)

// active looks for a flag, then for one that says the contrary, then for a word.
func (g *guess) active() {
	const negative = "disabled isdisabled deleted isdeleted suspended issuspended blocked isblocked deactivated isdeactivated archived isarchived accountdisabled inactive isinactive"
	flag := func(l leaf) string {
		if !l.says() {
			return "nothing in the sample shows what it is"
		}
		if len(l.values) > 1 || !isFlag(l.shape) {
			return "neither true nor false, nor a word that is known for a state"
		}
		return ""
	}
	for _, words := range []string{"active isactive enabled isenabled accountenabled isuserenabled userenabled useractive accountactive", negative} {
		contrary := words == negative
		for _, l := range g.find(words, flag) {
			if len(g.membersCalled("active")) > 0 {
				l.why = "a second candidate for active"
				continue
			}
			value := flagYAML(l.take("active"), contrary)
			why := ""
			if contrary {
				why = "guessed: whom the system calls " + strings.ToLower(pathText(l.name)) + " is not active"
			}
			g.set("active", &value, why)
		}
	}
	for _, l := range g.find("status accountstatus userstatus employmentstatus lifecyclestate state accountstate userstate enablementstatus", single) {
		active, known := stateOf(l.first())
		switch {
		case !known && l.says():
			l.why = "a word for a state that is not known to say active or not"
		case !l.says():
		case len(g.membersCalled("active")) > 0:
			l.why = "a second candidate for active"
		default:
			value := mapping(at("path", text(l.take("active").text())), at("map", stateMap(l.first(), active)))
			g.set("active", &value, "guessed: only "+spoken(l.first())+" was seen; name every other word of the system")
		}
	}
}

// spoken repeats a word for a state, which is nobody's.
func spoken(state string) string { return strings.ToLower(state) }

// stateMap maps the word that was seen, and its plain contrary as the system
// would write it. Words that are not mapped say nothing.
func stateMap(seen string, active bool) yaml {
	like := func(word string) string {
		switch {
		case strings.ToUpper(seen) == seen:
			return strings.ToUpper(word)
		case seen[:1] == strings.ToUpper(seen[:1]):
			return strings.ToUpper(word[:1]) + word[1:]
		default:
			return word
		}
	}
	contraries := map[string]string{"active": "inactive", "enabled": "disabled", "activated": "deactivated"}
	m := mapping(at(seen, yaml{scalar: boolText(active)}))
	for _, yes := range sortedKeys(contraries) {
		no := contraries[yes]
		switch strings.ToLower(seen) {
		case yes:
			m.pairs = append(m.pairs, at(like(no), yaml{scalar: "false"}))
		case no:
			m.pairs = append(m.pairs, at(like(yes), yaml{scalar: "true"}))
		}
	}
	return m
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// isFlag tells whether all values are true or false, or written like that.
func isFlag(s *shape) bool {
	return s.every(func(v any) bool {
		_, known := flagOf(v)
		return known
	})
}

// flagYAML is a flag's path, with a map where the system does not write true and
// false as JSON does, or means the contrary.
func flagYAML(s *shape, contrary bool) yaml {
	path := text(s.text())
	if !contrary && (!s.says() || s.every(isBool)) {
		return path
	}
	return mapping(at("path", path), at("map", flagMap(s.first(), contrary)))
}

func flagMap(seen string, contrary bool) yaml {
	flag, _ := flagOf(seen)
	other := map[string]string{"true": "false", "yes": "no", "y": "n", "1": "0", "t": "f", "": "false"}
	if seen == "" {
		seen, flag = "true", true
	}
	lower := strings.ToLower(seen)
	opposite := other[lower]
	for yes, no := range other {
		if no == lower && yes != "" {
			opposite = yes
		}
	}
	switch {
	case strings.ToUpper(seen) == seen:
		opposite = strings.ToUpper(opposite)
	case seen[:1] == strings.ToUpper(seen[:1]):
		opposite = strings.ToUpper(opposite[:1]) + opposite[1:]
	}
	key := func(word string) pair {
		if word == "true" || word == "false" { // a key's text is what counts
			return pair{key: word}
		}
		return at(word, yaml{})
	}
	a, b := key(seen), key(opposite)
	a.value, b.value = yaml{scalar: boolText(flag != contrary)}, yaml{scalar: boolText(flag == contrary)}
	if flag {
		return mapping(a, b)
	}
	return mapping(b, a)
}

func (g *guess) membersCalled(name string) []pair {
	var all []pair
	for _, p := range g.members {
		if p.key == name {
			all = append(all, p)
		}
	}
	return all
}

func (g *guess) work() {
	g.organizations()
	g.set("department", g.either(departmentWord, "department", "department departmentname dept deptname orgunit organizationalunit ou", "name displayname value title code id"), "")
	g.set("organization", g.either(employerWord, "organization", "organizationname organization organisation organisationname companyname company orgname employer employername tenantname", "name displayname legalname value"), "")
	g.set("employeeNumber", g.scalar("employeeNumber", "employeenumber employeeid personnelnumber personnelno staffid staffnumber employeeno empno empid workerid personnumber hrid", single), "")
	g.set("manager", g.either(managerWord, "manager", "manager managername supervisor supervisorname linemanager reportsto manageremail managerid supervisorid", "displayname name fullname value email id"), "")
	if value := g.textList("requiredActions", "requiredactions requiredaction pendingactions"); value != nil {
		g.set("requiredActions", value, "")
	}
}

// either fills a text member by an object's own members, or by a leaf.
func (g *guess) either(object *regexp.Regexp, member, words, inner string) *yaml {
	var value *yaml
	g.root.walk(func(s *shape) bool {
		if value == nil && s.object && !s.list && !s.inList && object.MatchString(s.word) {
			paths := list()
			for _, word := range strings.Fields(inner) {
				if m := s.child(word); m != nil && m.scalar() && len(m.values) == 1 && m.every(isTextual) && len(paths.items) < 2 {
					paths.items = append(paths.items, text(m.take(member).text()))
				}
				if len(paths.items) > 0 && member != "manager" {
					break
				}
			}
			switch len(paths.items) {
			case 0:
			case 1:
				value = &paths.items[0]
			default:
				value = &paths
			}
		}
		return !s.list && !foreignWord.MatchString(s.word)
	})
	if value != nil {
		return value
	}
	return g.scalar(member, words, single)
}

// textList fills a list of texts.
func (g *guess) textList(member, words string) *yaml {
	for _, l := range g.find(words, func(l leaf) string {
		if l.says() && !l.every(isTextual) {
			return "no list of texts"
		}
		return ""
	}) {
		value := text(l.take(member).text())
		return &value
	}
	return nil
}

func (g *guess) links() {
	link := func(l leaf) string {
		if l.says() && !l.every(looksLikeLink) {
			return "no address on the web"
		}
		return ""
	}
	urls := list()
	for _, l := range g.find("profileurl htmlurl profilelink weburl website websiteurl homepage webpage blog blogurl permalink linkedinurl", link) {
		item := text(l.text())
		if kind := map[string]string{"profileurl": "profile", "htmlurl": "profile", "profilelink": "profile", "blog": "blog", "blogurl": "blog"}[l.word]; kind != "" {
			item = mapping(at("value", item), at("type", constant(kind)))
		}
		l.take("urls")
		urls.items = append(urls.items, item)
	}
	g.setList("urls", urls)
	photos := list()
	best, size := leaf{}, ""
	for _, l := range g.leaves {
		if l.used != "" || l.inList || l.meta || !photoWord.MatchString(l.word) || l.strict && genericWord.MatchString(l.word) {
			continue
		}
		if !l.every(looksLikeLink) {
			if l.says() {
				l.why = "no address on the web"
			}
			continue
		}
		digits := strings.TrimLeft(l.word, "abcdefghijklmnopqrstuvwxyz")
		if best.shape == nil || len(digits) > len(size) || len(digits) == len(size) && digits > size {
			best, size = l, digits
		}
	}
	if best.shape != nil {
		photos.items = append(photos.items, text(best.take("photos").text()))
	}
	g.root.walk(func(s *shape) bool {
		if s.object && !s.inList && photosWord.MatchString(s.word) {
			if value := s.child("value url href src uri"); value != nil && value.every(looksLikeLink) {
				item := mapping(at("each", text(s.text())), at("value", text(value.take("photos").within(s))))
				if kind := s.child("type kind"); kind != nil && kind.every(isText) {
					item.pairs = append(item.pairs, at("type", text(kind.take("photos").within(s))))
				}
				photos.items = append(photos.items, item)
			}
		}
		return !foreignWord.MatchString(s.word)
	})
	g.setList("photos", photos)
}

// setList adds a member that is a list: as its one path, where it has no more.
func (g *guess) setList(member string, l yaml) {
	switch {
	case len(l.items) == 0:
		return
	case len(l.items) == 1 && l.items[0].form == asScalar:
		g.set(member, &l.items[0], "")
		return
	}
	scalars := !slices.ContainsFunc(l.items, func(y yaml) bool { return y.form != asScalar })
	l.block = !scalars
	g.set(member, &l, "")
}

func constant(v string) yaml { return mapping(at("value", text(v))) }

func (g *guess) instants() {
	for _, m := range []struct{ member, words string }{
		{"createdAt", "createdat created createdon createddate createddatetime creationdate createdtimestamp createtime creationtime datecreated whencreated registeredat registrationdate signupdate signedupat joinedat joined"},
		{"updatedAt", "updatedat updated lastupdated lastmodified modified modifiedat modifiedon lastmodifieddatetime lastmodifiedat updatedon updatetime modifytimestamp whenchanged lastupdate lastupdatedat modifieddate updateddate lastmodifieddate datemodified"},
		{"lastLoginAt", "lastlogin lastloginat lastlogindate lastlogintime lastsignin lastsigninat lastlogon lastsignindatetime lastlogontimestamp lastlogindatetime lastsignintime lastloggedin lastloggedinat"},
	} {
		taken := ""
		for _, word := range strings.Fields(m.words) {
			for _, l := range g.leaves {
				if l.used != "" || l.inList || !slices.Contains(l.words, word) || l.strict && !l.meta && genericWord.MatchString(word) {
					continue
				}
				value, comment, why := instantYAML(l.shape)
				switch {
				case taken != "" && l.says():
					l.why = "a second candidate for " + m.member + ", which is taken from " + taken
				case taken != "":
				case why != "":
					l.why = why
				default:
					taken = l.take(m.member).text()
					g.set(m.member, &value, comment)
				}
			}
		}
	}
}

// instantYAML is the path of an instant. What a number counts is guessed by its
// magnitude, and said to be.
func instantYAML(s *shape) (value yaml, comment, why string) {
	path := text(s.text())
	switch {
	case !s.says():
		return path, "nothing in the sample: were it a number, `as:` would be needed", ""
	case len(s.values) > 1:
		return yaml{}, "", "several values, and there is one member of that kind"
	}
	if written, isText := s.values[0].(string); isText {
		if _, ok := normalize.ParseInstant(written); ok {
			return path, "", ""
		}
	}
	switch unit := plausibleEpoch(normalize.Number(s.first())); {
	case unit != "":
		return mapping(at("path", path), at("as", text(string(unit)))), epochComment(unit), ""
	case isNumber(s.values[0]):
		return yaml{}, "", "a number that is no count of seconds or milliseconds between 1990 and 2100"
	default:
		return yaml{}, "", "no instant that can be read: RFC 3339 or ISO 8601 is"
	}
}

func epochComment(unit normalize.Epoch) string {
	if unit == normalize.EpochMillis {
		return "guessed by its magnitude: milliseconds; confirm"
	}
	return "guessed by its magnitude: seconds; confirm"
}

// sort brings the members into the order of the grammar.
func (g *guess) sort() {
	order := strings.Fields("userName displayName nickName title userType name emails phoneNumbers addresses locale preferredLanguage timezone active organizations department organization employeeNumber manager groups roles urls photos requiredActions createdAt updatedAt lastLoginAt")
	slices.SortStableFunc(g.members, func(a, b pair) int { return slices.Index(order, a.key) - slices.Index(order, b.key) })
}

// drop takes a member out that the engine did not accept, by the name that its
// notes have: "name.givenName", "emails.verified", "ids.self".
func (g *guess) drop(member, why string) bool {
	parts := strings.Split(member, ".")
	if parts[0] == "ids" && len(parts) > 1 {
		before := len(g.ids)
		g.ids = slices.DeleteFunc(g.ids, func(p pair) bool { return p.key == parts[1] })
		g.release(member, why)
		return len(g.ids) < before
	}
	dropped := false
	g.members = slices.DeleteFunc(g.members, func(p pair) bool {
		if p.key != parts[0] {
			return false
		}
		dropped = true
		if len(parts) == 1 || parts[1] == "value" {
			g.release(parts[0], why)
			return true
		}
		return false
	})
	for i := range g.members {
		if m := &g.members[i]; m.key == parts[0] && len(parts) > 1 {
			m.value.remove(parts[1])
			for j := range m.value.items {
				m.value.items[j].remove(parts[1])
			}
			m.value.items = slices.DeleteFunc(m.value.items, func(y yaml) bool { return y.form == asMapping && len(y.pairs) == 0 })
			g.release(member, why)
		}
	}
	g.members = slices.DeleteFunc(g.members, func(p pair) bool { return p.value.form != asScalar && len(p.value.pairs)+len(p.value.items) == 0 })
	return dropped
}

// release gives back what a member had taken.
func (g *guess) release(member, why string) {
	g.root.walk(func(s *shape) bool {
		if s.used == member || strings.HasPrefix(s.used, member+".") {
			s.used, s.why = "", why
		}
		return true
	})
}
