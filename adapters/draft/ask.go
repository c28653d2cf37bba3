package draft

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"muster/adapters"
	"muster/normalize"
)

// asking is the lookup that a draft has: its text, and what a test of it needs.
type asking struct {
	method string
	lookup string            // as a definition has it, without the method
	host   string            // of the address given, "" for none
	ids    map[string]string // what each identifier is in the sample
	kinds  []string          // of the identifiers, in the order of the address
	tenant map[string]string
	made   map[string]bool // identifiers and tenant's values that the sample does not have
	token  bool            // the token stands in the query
	notes  []string
}

var (
	usersWord       = regexp.MustCompile(`^(users?|people|persons?|employees?|accounts?|members?|identities|identity|profiles?|contacts?|staff|workers?|subjects?|byid|info|lookup)$`)
	tenantsWord     = regexp.MustCompile(`^(tenants?|orgs?|organi[sz]ations?|realms?|customers?|workspaces?|companies|directories|domains?)$`)
	versionSegment  = regexp.MustCompile(`^v?[0-9]+(\.[0-9]+)*$`)
	placeholderForm = regexp.MustCompile(`\{([^{}]*)\}`)
	ownPlaceholder  = regexp.MustCompile(`^(id|tenant|settings)\.([A-Za-z0-9][A-Za-z0-9_-]*)(?::([a-z]+))?$`)
	extensionOnly   = regexp.MustCompile(`\.json$`)
)

// wantedOf are the texts of an address that may be somebody's.
func wantedOf(address string) []string {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		return nil
	}
	_, rest, _ = strings.Cut(rest, "/")
	var texts []string
	for _, part := range strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune("/?&=", r) }) {
		for _, decode := range []func(string) (string, error){url.PathUnescape, url.QueryUnescape} {
			if text, err := decode(part); err == nil {
				texts = append(texts, text)
				texts = append(texts, quotedWithin(text)...)
			}
		}
	}
	return texts
}

var inQuotes = regexp.MustCompile(`"([^"]+)"|'([^']+)'`)

// quotedWithin are the texts in quotes within a text: those that a filter compares with.
func quotedWithin(text string) []string {
	var all []string
	for _, found := range inQuotes.FindAllStringSubmatch(text, -1) {
		all = append(all, found[1]+found[2])
	}
	return all
}

// ask turns an address that somebody was asked with into a lookup. Without one, by
// is the kind of identifier that is known to lead there, if any is.
func (g *guess) ask(address, by string) (*asking, error) {
	a := &asking{method: "GET", ids: map[string]string{}, tenant: map[string]string{}, made: map[string]bool{}}
	if address == "" {
		g.invent(a, by)
		return a, nil
	}
	if method, rest, ok := strings.Cut(strings.TrimSpace(address), " "); ok {
		a.method, address = method, strings.TrimSpace(rest)
	}
	if a.method != "GET" && a.method != "POST" {
		return nil, errors.New("the method before the address must be GET or POST: --url 'GET https://…'")
	}
	scheme, rest, ok := strings.Cut(address, "://")
	switch {
	case ok && scheme == "http":
		a.notes = append(a.notes, "the address is http, and a lookup is always https: a deployment may send it elsewhere by egress.connect")
	case !ok || scheme != "https":
		return nil, errors.New("the address must begin with https://: --url 'GET https://api.example.com/users/42'")
	}
	rest, _, _ = strings.Cut(rest, "#")
	authority, query, _ := strings.Cut(rest, "?")
	authority, path, hasPath := strings.Cut(authority, "/")
	if strings.Contains(authority, "@") {
		return nil, errors.New("the address has a user's name or password before its host: a definition holds no credential")
	}
	if !adapters.Fits("host", placeholderForm.ReplaceAllString(authority, "x")) {
		return nil, errors.New("the address has no host, or one that is none")
	}
	a.lookup = "https://" + g.hostText(a, authority)
	if hasPath {
		written, err := g.pathText(a, path)
		if err != nil {
			return nil, err
		}
		a.lookup += "/" + written
	}
	if query != "" {
		written, err := g.queryText(a, query)
		if err != nil {
			return nil, err
		}
		a.lookup += "?" + written
	}
	return a, nil
}

// invent makes a lookup where no address is known.
func (g *guess) invent(a *asking, by string) {
	for _, kind := range []string{by, "self", "email", "username"} {
		at := g.identifier(kind)
		if at == nil {
			continue
		}
		value := strings.TrimSpace(at.first())
		if !sendable(value) || kind == "email" && !mailbox.MatchString(value) {
			continue
		}
		a.lookup = "https://{settings.host}/users/" + a.identifier(kind, value, false)
		return
	}
	a.lookup = "https://{settings.host}/users/" + a.identifier("self", "", false)
}

// identifier is where the record has an identifier of a kind, nil where it has none.
func (g *guess) identifier(kind string) *shape {
	switch kind {
	case "self":
		return g.self
	case "email":
		return g.email
	case "username":
		return g.user
	case "oid":
		return g.oid
	default:
		return nil
	}
}

// sendable tells whether a value can be a segment of a path.
func sendable(value string) bool {
	return value != "" && value != "." && value != ".." && len(value) < 500 && !strings.ContainsFunc(value, unwritable)
}

// hostText makes a setting of the host; a tenant's name before it stays a tenant's.
func (g *guess) hostText(a *asking, authority string) string {
	if strings.Contains(authority, "{") {
		g.known(a, authority)
		return authority
	}
	first, rest, _ := strings.Cut(authority, ".")
	for _, t := range g.tenants {
		if strings.Contains(rest, ".") && strings.EqualFold(t.first(), first) && adapters.Fits("label", first) {
			a.host = rest
			a.tenant["self"] = t.first()
			return "{tenant.self:label}.{settings.host}"
		}
	}
	a.host = authority
	return "{settings.host}"
}

func (g *guess) pathText(a *asking, path string) (string, error) {
	var written []string
	before := ""
	for _, segment := range strings.Split(path, "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return "", errors.New("the address has a percent sign that encodes nothing")
		}
		extension := extensionOnly.FindString(plain) // GET /users/42.json
		text, err := g.place(a, strings.TrimSuffix(plain, extension), before, strings.TrimSuffix(segment, extension))
		if err != nil {
			return "", err
		}
		text += extension
		written = append(written, text)
		before = fold(plain)
	}
	return strings.Join(written, "/"), nil
}

func (g *guess) queryText(a *asking, query string) (string, error) {
	var written []string
	for _, pair := range strings.Split(query, "&") {
		name, value, hasValue := strings.Cut(pair, "=")
		plainName, errName := url.QueryUnescape(name)
		plain, err := url.QueryUnescape(value)
		if err != nil || errName != nil {
			return "", errors.New("the address has a percent sign that encodes nothing")
		}
		switch {
		case !hasValue:
			written = append(written, name)
		case secretName(plainName) || fold(plainName) == "key" || fold(plainName) == "sig":
			a.token = true
			written = append(written, name+"={settings.token}")
		default:
			text, err := g.place(a, plain, fold(plainName), value)
			if err != nil {
				return "", err
			}
			written = append(written, name+"="+text)
		}
	}
	return strings.Join(written, "&"), nil
}

// place writes one part of an address: with a placeholder, where it is somebody's.
// before is what stands before it: a segment, or a parameter's name.
func (g *guess) place(a *asking, plain, before, as string) (string, error) {
	if strings.Contains(plain, "{") {
		return g.known(a, plain), nil
	}
	if kind, tenant, ok := g.kindOf(plain, before); ok {
		if tenant {
			a.tenant["self"] = plain
			return "{tenant.self" + formatOf(plain) + "}", nil
		}
		if kind, ok = g.told(kind, plain); !ok {
			return "", errors.New("the address has an e-mail address that is not the one of the sample: are they one person's?")
		}
		return a.identifier(kind, plain, false), nil
	}
	for _, part := range append(quotedWithin(plain), mailWithin.FindAllString(plain, -1)...) {
		kind, tenant, ok := g.kindOf(part, "users "+fold(plain))
		if !ok || tenant {
			continue
		}
		if kind, ok = g.told(kind, part); !ok {
			return "", errors.New("the address has an e-mail address that is not the one of the sample: are they one person's?")
		}
		format := ":email"
		switch {
		case mailbox.MatchString(part):
		case formatOf(part) != "":
			format = formatOf(part)
		case adapters.Fits("label", part):
			format = ":label"
		default:
			return "", fmt.Errorf("the address has an identifier of the person within a text of its own language: write the placeholder yourself, for example {id.%s:email}, so that no value can end its quotes", kind)
		}
		a.ids[kind] = part
		a.note(kind)
		return strings.ReplaceAll(plain, part, "{id."+kind+format+"}"), nil
	}
	return as, nil
}

// told is the kind under which an identifier is asked with. What the record calls
// otherwise is none of its own: it is some key of the system's. An address that
// is not the record's cannot be checked.
func (g *guess) told(kind, value string) (string, bool) {
	switch s := g.identifier(kind); {
	case s == nil || !s.says() || same(s, value):
		return kind, true
	case kind == "email":
		return "", false
	default:
		return "key", true
	}
}

// kindOf tells what a part of an address is: an identifier of the person, by its
// kind, or what the tenant is called there.
func (g *guess) kindOf(plain, before string) (kind string, tenant, ok bool) {
	near := usersWord.MatchString(strings.Fields(before + " .")[0])
	if strings.Contains(before, "username") && same(g.user, plain) {
		return "username", false, true
	}
	for _, t := range g.tenants {
		if same(t, plain) && (len(plain) > 1 || tenantsWord.MatchString(before)) && !near {
			return "", true, true
		}
	}
	if tenantsWord.MatchString(before) && plain != "" && !usersWord.MatchString(fold(plain)) {
		return "", true, true
	}
	if len(plain) > 1 || near {
		for _, by := range []struct {
			kind string
			at   *shape
		}{{"self", g.self}, {"oid", g.oid}, {"email", g.email}, {"username", g.user}} {
			if same(by.at, plain) {
				return by.kind, false, true
			}
		}
	}
	if len(plain) > 2 && !versionSegment.MatchString(plain) {
		for _, l := range g.leaves {
			if same(l.shape, plain) && !l.inList && !keptWords.MatchString(l.word) && l.every(isTextual) && !isStateWord(plain) {
				if mailbox.MatchString(plain) {
					return "email", false, true
				}
				return kebab(l.name), false, true
			}
		}
	}
	switch {
	case mailbox.MatchString(plain):
		return "email", false, true
	case near && (adapters.Fits("uuid", plain) || adapters.Fits("int", plain)), adapters.Fits("uuid", plain):
		return "self", false, true
	case before == "email" || before == "mail" || before == "username" || before == "login":
		return map[string]string{"email": "email", "mail": "email"}[before], false, plain != "" && (before == "email" || before == "mail")
	default:
		return "", false, false
	}
}

func same(s *shape, text string) bool {
	return s != nil && text != "" && slices.ContainsFunc(s.values, func(v any) bool {
		value, ok := normalize.ScalarText(v)
		return ok && strings.EqualFold(strings.TrimSpace(value), strings.TrimSpace(text))
	})
}

// identifier adds a placeholder of a kind.
func (a *asking) identifier(kind, value string, invented bool) string {
	if value == "" {
		value, invented = "1001", true
	}
	a.ids[kind] = value
	a.made[kind] = invented
	a.note(kind)
	if kind == "email" || kind == "username" || invented {
		return "{id." + kind + "}"
	}
	return "{id." + kind + formatOf(value) + "}"
}

func (a *asking) note(kind string) {
	if !slices.Contains(a.kinds, kind) {
		a.kinds = append(a.kinds, kind)
	}
}

// formatOf is the format that a placeholder asks of values like this one.
func formatOf(value string) string {
	switch {
	case adapters.Fits("uuid", value):
		return ":uuid"
	case adapters.Fits("int", value):
		return ":int"
	default:
		return ""
	}
}

// known takes placeholders over that stand in the address already; those of
// another language become ours.
func (g *guess) known(a *asking, text string) string {
	return placeholderForm.ReplaceAllStringFunc(text, func(written string) string {
		inner := strings.Trim(written, "{}")
		parts := ownPlaceholder.FindStringSubmatch(inner)
		if parts == nil {
			word := fold(strings.TrimPrefix(inner, "$"))
			switch {
			case tenantWord.MatchString(word) || tenantsWord.MatchString(strings.TrimSuffix(word, "id")):
				parts = []string{"", "tenant", "self", ""}
			case strings.Contains(word, "mail"):
				parts = []string{"", "id", "email", ""}
			case loginWords.MatchString(word):
				parts = []string{"", "id", "username", ""}
			default:
				parts = []string{"", "id", "self", ""}
			}
			written = "{" + parts[1] + "." + parts[2] + "}"
		}
		space, name, format := parts[1], parts[2], parts[3]
		value := map[string]string{"uuid": "00000000-0000-4000-8000-000000000001", "int": "1001", "email": "jane.doe@acme.example"}[format]
		invented := value
		if value == "" {
			invented = "t1"
		}
		switch space {
		case "tenant":
			a.tenant[name], a.made["tenant."+name] = invented, true
			for _, t := range g.tenants {
				a.tenant[name], a.made["tenant."+name] = t.first(), false
			}
		case "id":
			at := g.identifier(name)
			a.ids[name], a.made[name] = invented, true
			if at != nil && at.says() {
				a.ids[name], a.made[name] = strings.TrimSpace(at.first()), false
			}
			a.note(name)
		}
		return written
	})
}

// kebab is a name as an identifier's kind: employee-number.
func kebab(name string) string {
	word := strings.ToLower(strings.Join(wordsOf(name), "-"))
	if word == "" || word[0] < 'a' {
		return "self"
	}
	return word
}
