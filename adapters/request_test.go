package adapters_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"muster/adapters"
)

// what is sent for a definition, as METHOD URL, or the fault.
func whatIsSent(t *testing.T, keys string, q adapters.Query, pairs ...string) string {
	t.Helper()
	w := answers(200, `{"id": "1"}`)
	source := bind(define(t, keys), w, pairs...)
	fault := source.Check(q)
	if got := w.requests(); len(got) != 0 {
		t.Fatalf("Check has sent %v", got)
	}
	_, err := source.Fetch(t.Context(), q)
	if fault != nil {
		if got := w.requests(); len(got) != 0 {
			t.Errorf("%v was sent, though it does not fit: %v", got, fault)
		}
		expect(t, "fault of Fetch", adapters.FaultOf(err).Error(), fault.Error())
		return fault.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.requests()[0].Line
}

func TestAddresses(t *testing.T) {
	for _, test := range []struct {
		name, lookup string
		query        adapters.Query
		want         string
	}{
		{"a method is a GET", `https://h.example/a/{id.self}`, somebody(), "GET https://h.example/a/1"},
		{"no path", `https://h.example`, somebody(), "GET https://h.example/"},
		{"literals stay as written", `https://h.example/a%2Fb/~x/;v=1/`, somebody(), "GET https://h.example/a%2Fb/~x/;v=1/"},
		{"a port", `https://h.example:8443/x`, somebody(), "GET https://h.example:8443/x"},
		{"a tenant in the host", `https://{tenant.self:label}.{settings.host}/x`, ids("self", "1", "tenant.self", "acme"), "GET https://acme.h.example/x"},
		{"a path is one segment for each value", `https://h.example/u/{id.self}/x`, ids("self", "../../admin?a=b#c d+e&f"), "GET https://h.example/u/..%2F..%2Fadmin%3Fa%3Db%23c%20d%2Be%26f/x"},
		{"a colon", `https://h.example/u/{id.self}`, ids("self", "vmware.com:d3b0"), "GET https://h.example/u/vmware.com%3Ad3b0"},
		{"text beyond ASCII", `https://h.example/u/{id.self}`, ids("self", "zoë 日本"), "GET https://h.example/u/zo%C3%AB%20%E6%97%A5%E6%9C%AC"},
		{"a percent sign is data", `https://h.example/u/{id.self}`, ids("self", "%2e%2e%2f"), "GET https://h.example/u/%252e%252e%252f"},
		{"two values in one segment", `https://h.example/u/{id.a}-{id.b}`, ids("a", "1/", "b", "/2"), "GET https://h.example/u/1%2F-%2F2"},
		{"a query of its own", `https://h.example/s?q={id.self}&exact=true&flag`, ids("self", "a&b=c +/é"), "GET https://h.example/s?q=a%26b%3Dc+%2B%2F%C3%A9&exact=true&flag="},
		{"a query that its author encoded", `https://h.example/s?%24filter=mail%20eq+{id.self:odata}`, ids("self", "a%20b"), "GET https://h.example/s?%24filter=mail+eq+%27a%2520b%27"},
		{"the greatest integer", `https://h.example/u/{id.self:int}`, ids("self", "9223372036854775807"), "GET https://h.example/u/9223372036854775807"},
		{"a GUID", `https://h.example/u/{id.self:uuid}`, ids("self", "D3B07384-d9a1-4655-a08e-df5f4f6d7d19"), "GET https://h.example/u/D3B07384-d9a1-4655-a08e-df5f4f6d7d19"},
		{"an address", `https://h.example/u/{id.email:email}`, ids("email", "a+b@c.example"), "GET https://h.example/u/a%2Bb%40c.example"},

		{"one more than the greatest", `https://h.example/u/{id.self:int}`, ids("self", "9223372036854775808"), "invalid: the value of {id.self} is not of the form int"},
		{"a negative integer", `https://h.example/u/{id.self:int}`, ids("self", "-1"), "invalid: the value of {id.self} is not of the form int"},
		{"no GUID", `https://h.example/u/{id.self:uuid}`, ids("self", "1"), "invalid: the value of {id.self} is not of the form uuid"},
		{"no address", `https://h.example/u/{id.email:email}`, ids("email", "a b@c"), "invalid: the value of {id.email} is not of the form email"},
		{"no label", `https://{tenant.self:label}.h.example/x`, ids("self", "1", "tenant.self", "evil.example/"), "invalid: the value of {tenant.self} is not of the form label"},
		{"a label too long", `https://{tenant.self:label}.h.example/x`, ids("self", "1", "tenant.self", strings.Repeat("a", 64)), "invalid: the value of {tenant.self} is not of the form label"},
		{"this folder", `https://h.example/u/{id.self}`, ids("self", "."), "invalid: the value of {id.self} would leave its place in the path"},
		{"the folder above", `https://h.example/u/{id.self}/x`, ids("self", ".."), "invalid: the value of {id.self} would leave its place in the path"},
		{"dots from two values", `https://h.example/u/{id.a}{id.b}`, ids("a", ".", "b", "."), "invalid: the value of {id.a} would leave its place in the path"},
		{"dots with a literal", `https://h.example/u/{id.self}%2e`, ids("self", "."), "invalid: the value of {id.self} would leave its place in the path"},
		{"control characters", `https://h.example/u/{id.self}`, ids("self", "a\r\nX-Evil: 1"), "invalid: the value of {id.self} has control characters"},
		{"control characters in a query", `https://h.example/u?q={id.self}`, ids("self", "a\x00"), "invalid: the value of {id.self} has control characters"},
		{"no text", `https://h.example/u/{id.self}`, ids("self", "a\xff"), "invalid: the value of {id.self} is not UTF-8 text"},
		{"a tenant's value missing", `https://h.example/{tenant.self}/{id.self}`, somebody(), "invalid: no value for {tenant.self}"},
		{"an identifier missing", `https://h.example/{id.other}`, somebody(), "invalid: no lookup can be sent with the identifiers at hand"},
		{"an empty identifier is none", `https://h.example/{id.self}`, ids("self", ""), "invalid: no lookup can be sent with the identifiers at hand"},
		{"a setting missing", `https://h.example/{settings.region}/{id.self}`, somebody(), "misconfigured: no value for {settings.region}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			keys := fmt.Sprintf("lookup: '%s'", strings.ReplaceAll(test.lookup, "'", "''"))
			if !strings.Contains(test.lookup, "{id.") { // it names nobody
				keys += "\nresponse: {match: {id: '{id.self}'}}"
			}
			expect(t, "sent", whatIsSent(t, keys, test.query), test.want)
		})
	}
}

// A setting is checked by who deploys; nothing is sent where one was not.
func TestASettingThatIsNoHost(t *testing.T) {
	for _, host := range []string{"evil.example/x", "a b", "user@h.example", "h.example?", "h.example#", "https://h.example", "h.example:0", strings.Repeat("a", 64)} {
		got := whatIsSent(t, "", somebody(), "host", host)
		expect(t, host, got, "invalid: the value of {settings.host} is not a host")
	}
	got := whatIsSent(t, "lookup: 'https://{tenant.self:label}.{settings.host}/{id.self}'", ids("self", "1", "tenant.self", "a"), "host", strings.Repeat("a.", 126)+"a")
	expect(t, "too long together", got, "invalid: the value of {settings.host} does not make a host")
}

// The first lookup whose identifiers are at hand is sent.
func TestTheFirstFeasibleLookup(t *testing.T) {
	const keys = `lookup: ["https://h.example/id/{id.self}", "https://h.example/name/{id.username}/{id.email}", "https://h.example/mail/{id.email}"]`
	for _, test := range []struct {
		query adapters.Query
		want  string
	}{
		{ids("self", "1", "username", "u", "email", "e@x.example"), "GET https://h.example/id/1"},
		{ids("username", "u", "email", "e@x.example"), "GET https://h.example/name/u/e%40x.example"},
		{ids("username", "u"), "invalid: no lookup can be sent with the identifiers at hand"},
		{ids("email", "e@x.example"), "GET https://h.example/mail/e%40x.example"},
		{ids(), "invalid: no lookup can be sent with the identifiers at hand"},
		// A value that does not fit leaves the next lookup; the first says why none is left.
		{ids("self", "..", "email", "e@x.example"), "GET https://h.example/mail/e%40x.example"},
		{ids("self", ".."), "invalid: the value of {id.self} would leave its place in the path"},
		{ids("self", "..", "email", "e\n"), "invalid: the value of {id.self} would leave its place in the path"},
		{ids("username", "u\n", "email", "e@x.example"), "GET https://h.example/mail/e%40x.example"},
	} {
		expect(t, fmt.Sprint(test.query.IDs), whatIsSent(t, keys, test.query), test.want)
	}
}

func TestQueryAndHeadersLeaveOutWhatIsAbsent(t *testing.T) {
	const keys = `
lookup: "https://h.example/u/{id.self}?a=1&region={settings.region}"
query: {mail: "{id.email}", "odd name&": "{tenant.odd} x", region: "{settings.region}"}
headers: {Accept: application/vnd.example+json, X-Tenant: "{tenant.odd}", X-Region: "r-{settings.region}", X-User: "{id.email}"}
`
	for _, test := range []struct {
		name    string
		query   adapters.Query
		pairs   []string
		line    string
		headers map[string]string
	}{
		{"nothing", somebody(), nil, "GET https://h.example/u/1?a=1", map[string]string{"Accept": "application/vnd.example+json", "User-Agent": "muster"}},
		{
			"everything", ids("self", "1", "email", "a+b@c.example", "tenant.odd", "ä&="),
			[]string{"region", "eu 1"},
			"GET https://h.example/u/1?a=1&region=eu+1&mail=a%2Bb%40c.example&odd+name%26=%C3%A4%26%3D+x&region=eu+1",
			map[string]string{"Accept": "application/vnd.example+json", "User-Agent": "muster", "X-Tenant": "ä&=", "X-Region": "r-eu 1", "X-User": "a+b@c.example"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := answers(200, `{"id": "1"}`)
			if _, err := bind(define(t, keys), w, test.pairs...).Fetch(t.Context(), test.query); err != nil {
				t.Fatal(err)
			}
			got := w.requests()[0]
			expect(t, "line", got.Line, test.line)
			headers := map[string]string{}
			for name := range got.Header {
				headers[name] = got.Header.Get(name)
			}
			expect(t, "headers", headers, test.headers)
		})
	}
}

func TestAHeaderTakesNoControlCharacter(t *testing.T) {
	for _, value := range []string{"a\r\nX-Evil: 1", "a\n", "a\x00", "a\x7f", "a\tb"} {
		got := whatIsSent(t, `headers: {X-User: "{id.email}"}`, ids("self", "1", "email", value))
		expect(t, value, got, "invalid: the value of {id.email} has control characters")
	}
}

// A value can never break out of its string, because the body is a tree.
func TestJSONBodies(t *testing.T) {
	const keys = `
lookup: POST https://h.example/search
json:
  filter: {mail: "{id.email}", "{id.email}": [exact, "x-{id.email}-y", 9223372036854775807, 1.50, true, null, ""]}
  page: {size: 1, empty: {}, none: []}
`
	for _, mail := range append(seedValues(), `a"b\c`, `"},"admin":true,{"`, "<script>&", "\u2028") {
		w := answers(200, `{"id": "1"}`)
		_, err := bind(define(t, keys), w).Fetch(t.Context(), ids("email", mail))
		if err != nil {
			expect(t, mail, len(w.requests()), 0)
			continue
		}
		got := w.requests()[0]
		quoted, _ := json.Marshal(mail)
		inner := string(quoted[1 : len(quoted)-1])
		expect(t, mail, got.Body, `{"filter":{"mail":"`+inner+`","{id.email}":["exact","x-`+inner+`-y",9223372036854775807,1.50,true,null,""]},"page":{"size":1,"empty":{},"none":[]}}`)
		expect(t, "type", got.Header.Get("Content-Type"), "application/json")
		var back struct{ Filter map[string]any }
		if err := json.Unmarshal([]byte(got.Body), &back); err != nil || back.Filter["mail"] != mail {
			t.Errorf("%q reads as %q, %v", mail, back.Filter["mail"], err)
		}
	}
}

func TestABodyNeedsItsValues(t *testing.T) {
	got := whatIsSent(t, "lookup: POST https://h.example/s/{id.self}\njson: [{a: '{tenant.x}'}]", somebody())
	expect(t, "a tenant's value missing", got, "invalid: no value for {tenant.x}")
	got = whatIsSent(t, "lookup: POST https://h.example/s/{id.self}\njson: {a: '{id.other}'}", somebody())
	expect(t, "an identifier missing", got, "invalid: no lookup can be sent with the identifiers at hand")
}

// Whatever stands in a value, it stays within its parameter.
func TestFormIsSent(t *testing.T) {
	const keys = "lookup: POST https://h.example/api\nform: {api.token: '{settings.token}', 'by[mail][0]': 'x-{id.email}', 'a&b': 'c d', region: '{tenant.region}'}"
	for _, mail := range append(seedValues(), "a&api.token=b", "a+b %20=") {
		w := answers(200, `{"id": "1"}`)
		if _, err := bind(define(t, keys), w, "token", "s3").Fetch(t.Context(), ids("email", mail)); err != nil {
			expect(t, mail, len(w.requests()), 0)
			continue
		}
		got := w.requests()[0]
		expect(t, "type", got.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
		back, err := url.ParseQuery(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, mail, back, url.Values{"api.token": {"s3"}, "by[mail][0]": {"x-" + mail}, "a&b": {"c d"}})
	}
	expect(t, "whom it names", whatIsSent(t, keys, ids("username", "jane"), "token", "s3"), "invalid: no lookup can be sent with the identifiers at hand")
}

// A transport that loses its connection sends the body again.
func TestABodyCanBeSentAgain(t *testing.T) {
	w := &wire{answer: func(r *http.Request) (*http.Response, error) {
		again, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(again)
		expect(t, "the body again", string(body), `{"a":"1"}`)
		expect(t, "length", r.ContentLength, int64(len(body)))
		return response(r, 200, `{"id": "1"}`), err
	}}
	if _, err := bind(define(t, "lookup: POST https://h.example/s\njson: {a: '{id.self}'}"), w).Fetch(t.Context(), somebody()); err != nil {
		t.Fatal(err)
	}
	expect(t, "the body", w.requests()[0].Body, `{"a":"1"}`)
}

// seedValues are values that stand in the documents of the seeds, and the
// awkward among those that stand in real directories.
func seedValues() []string {
	return []string{
		"string", "42", "1024", "256", "createuser", "[email protected]", "John.Smith@example.com", "casey.taylor@example.com",
		"1b2af18e-8b27-4f86-93e0-6caa3e59b90c", "e7aee7b1-4967-4f40-b220-0b1dc12c4542", "vmware.com:d3b07384-d9a1-4655-a08e-df5f4f6d7d19",
		"enkidu wildman", "O'Brien", "Zoë", "名前", "..", "a/b", "a?b", "a#b", "%2e%2e%2f", "{id.self}", "9223372036854775807", "\u202e", "a\x00b", "a\r\nb", "\xff", "",
	}
}
