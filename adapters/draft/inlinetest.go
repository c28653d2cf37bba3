package draft

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"muster/adapters"
	"muster/config/document"
	"muster/normalize"
)

// test writes one inline test. With Options.File a long body goes there.
func (w *writer) test(b *strings.Builder, results []adapters.TestResult, i int, name string, s Sample, body any) (sample []byte) {
	a := w.asking
	with, settings, ids, tenant := mapping(), mapping(), mapping(), mapping()
	if strings.Contains(a.lookup, "{settings.host}") {
		settings.pairs = append(settings.pairs, at("host", text(w.testHost())))
	}
	for _, other := range w.otherSettings() {
		settings.pairs = append(settings.pairs, at(other, text("s")))
	}
	for _, kind := range sortedKeys(a.ids) {
		ids.pairs = append(ids.pairs, at(kind, text(w.shown(w.identified(kind), a.ids[kind], a.made[kind]))))
	}
	for _, called := range sortedKeys(a.tenant) {
		tenant.pairs = append(tenant.pairs, at(called, text(w.shown(w.tenantAt(called), a.tenant[called], a.made["tenant."+called]))))
	}
	for _, p := range []pair{at("settings", settings), at("tenant", tenant), at("id", ids)} {
		if len(p.value.pairs) > 0 {
			with.pairs = append(with.pairs, p)
		}
	}
	b.WriteString("  - name: " + name + "\n")
	at("with", with).writeAt(b, 4)
	if results != nil && results[i].Sent != "" {
		at("request", text(results[i].Sent)).writeAt(b, 4)
	}
	b.WriteString("    reply:\n")
	status := s.Status
	if i == 1 && status == 0 {
		status = statusOf(s.Body)
	}
	if status != 0 && status != http.StatusOK {
		b.WriteString("      http: " + strconv.Itoa(status) + "\n")
	}
	headers := mapping()
	for _, header := range sortedKeys(s.Headers) {
		if header != "Content-Type" && len(s.Headers[header]) > 0 {
			headers.pairs = append(headers.pairs, at(header, text(s.Headers[header][0])))
		}
	}
	if len(headers.pairs) > 0 {
		at("headers", headers).writeAt(b, 6)
	}
	in := bodyText{s.order, document.Quote}
	written := in.text(body, 8)
	switch {
	case w.asText:
		compact, err := json.Marshal(body)
		if err != nil {
			panic("what was read as JSON is written as JSON: " + err.Error())
		}
		b.WriteString("      text: " + document.Quote(string(compact)) + "\n")
	case i == 0 && w.File != "" && strings.Count(written, "\n") > longBody:
		b.WriteString("      file: " + scalarText(w.File) + "\n")
		sample = []byte(bodyText{s.order, quotedJSON}.text(body, 0) + "\n")
	case len("      json: ")+width(in.flow(body)) <= lineWidth:
		b.WriteString("      json: " + in.flow(body) + "\n")
	default:
		b.WriteString("      json:\n        " + written + "\n")
	}
	expect := mapping(at("outcome", text("ok")))
	if results != nil {
		expect = treeYAML(results[i].Got, expectOrder())
	}
	expect.block = len(expect.pairs) > 2
	for j := range expect.pairs {
		expect.pairs[j].value.block = expect.pairs[j].key == "profile"
	}
	at("expect", expect).writeAt(b, 4)
	return sample
}

// longBody is how many lines of a body a definition holds without getting unreadable.
const longBody = 40

// shown is a value in a test: what stands in the test's reply where the sample has
// it, if it has.
func (w *writer) shown(s *shape, value string, made bool) string {
	if made {
		return value
	}
	if s != nil && same(s, value) {
		path, err := normalize.ParsePath(s.text())
		if err == nil {
			for v := range path.Values(normalize.At(w.where.in(w.body))) {
				if text, ok := normalize.ScalarText(v); ok {
					return strings.TrimSpace(text)
				}
			}
		}
	}
	return w.fake(value)
}

// identified is where the record has the identifier of a kind that was asked with.
func (w *writer) identified(kind string) *shape {
	if s := w.guess.identifier(kind); s != nil {
		return s
	}
	for _, l := range w.guess.leaves {
		if kebab(l.name) == kind && same(l.shape, w.asking.ids[kind]) {
			return l.shape
		}
	}
	return nil
}

func (w *writer) tenantAt(called string) *shape {
	for _, t := range w.guess.tenants {
		if same(t, w.asking.tenant[called]) {
			return t
		}
	}
	return nil
}

func (w *writer) testHost() string { return w.Provider + ".example" }

// statusOf is the status under which a failure came: what its body says, or 404.
func statusOf(body any) int {
	found := http.StatusNotFound
	object, _ := body.(map[string]any)
	for _, name := range sortedKeys(object) {
		text, _ := normalize.ScalarText(object[name])
		word := fold(name)
		status, err := strconv.Atoi(text)
		switch {
		case err == nil && status >= 400 && status < 600 && isStatusName(word):
			return status
		case object[name] == false && successWord.MatchString(word):
			found = http.StatusOK
		}
	}
	return found
}

// expectOrder is the order in which a test states what it expects.
func expectOrder() map[string]int {
	order := map[string]int{}
	for i, name := range strings.Fields(`outcome kind ids profile error warnings retry_after self oid username email
		userName displayName nickName title userType name givenName familyName middleName honorificPrefix formatted
		emails value display type scope permissions primary verified expiresAt phoneNumbers addresses streetAddress locality region postalCode country
		locale preferredLanguage timezone active organizations department organization employeeNumber manager groups roles urls photos
		requiredActions createdAt updatedAt lastLoginAt code message ref hint subject details`) {
		order[name] = i
	}
	return order
}
