package adapters

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

// parsed reads a template as it stands in a file, and what is wrong with it.
func parsed(text string, in spaces) (template, []*document.Problem) {
	var problems document.Problems
	quoted := "t: '" + strings.ReplaceAll(text, "'", "''") + "'"
	root := document.Read("t.yaml", []byte(quoted), &problems)
	if root == nil {
		return nil, problems.All()
	}
	n := root.Field("t")
	return parseTemplate(n, n.Text(), 0, in), problems.All()
}

func TestTemplates(t *testing.T) {
	ref := func(space, name, format string) templatePart {
		return templatePart{ref: reference{space, name, format}}
	}
	literal := func(text string) templatePart { return templatePart{literal: text} }
	for _, test := range []struct {
		text string
		in   spaces
		want template
	}{
		{"", inRequest(), nil},
		{"plain", inRequest(), template{literal("plain")}},
		{"{id.self}", inRequest(), template{ref("id", "self", "")}},
		{"{id.numium-account:int}", inRequest(), template{ref("id", "numium-account", "int")}},
		{"a{id.x}b{tenant.y:uuid}{settings.z_1}c", inRequest(), template{literal("a"), ref("id", "x", ""), literal("b"), ref("tenant", "y", "uuid"), ref("settings", "z_1", ""), literal("c")}},
		{"{tenant.self:label}.{settings.host}", inHost(), template{ref("tenant", "self", "label"), literal("."), ref("settings", "host", "")}},
		{"Bearer {token}", inSend(), template{literal("Bearer "), ref("token", "", "")}},
		{"${env:TOKEN}", inAuth(), template{ref("secret", "${env:TOKEN}", "")}},
		{"${file:/run/secrets/a b}", inAuth(), template{ref("secret", "${file:/run/secrets/a b}", "")}},
		{"$5", inRequest(), template{literal("$5")}},
		{"query {{ user(login: $login) {{ id }} }}", inRequest(), template{literal("query { user(login: $login) { id } }")}},
		{"{{{id.x}}}", inRequest(), template{literal("{"), ref("id", "x", ""), literal("}")}},
		{"a{{{{b}}}}c{id.x}}}", inRequest(), template{literal("a{{b}}c"), ref("id", "x", ""), literal("}")}},
	} {
		t.Run(test.text, func(t *testing.T) {
			got, problems := parsed(test.text, test.in)
			if len(problems) > 0 {
				t.Fatal(problems[0])
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(templatePart{}, reference{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTemplateMistakes(t *testing.T) {
	const written = "placeholders are written {id.KIND}, {tenant.NAME} or {settings.NAME}"
	const partner = written + "; {{ and }} are the braces themselves"
	for _, test := range []struct {
		text, caret   string // the caret stands under this part of the text
		in            spaces
		message, hint string
	}{
		{"a{id.self", "{", inRequest(), "a brace without its partner", partner},
		{"a}b", "}", inRequest(), "a brace without its partner", partner},
		{"a{id.self}}", "}", inRequest(), "a brace without its partner", partner}, // the second one
		{"{}", "{}", inRequest(), "unknown placeholder {}", written},
		{"x{user.id}", "{user.id}", inRequest(), "unknown placeholder {user.id}", written},
		{"x{ids.self}", "{ids.self}", inRequest(), "unknown placeholder {ids.self}", `did you mean "id"?`},
		{"{setings.host}", "{setings.host}", inRequest(), "unknown placeholder {setings.host}", `did you mean "settings"?`},
		{"a {{id.x}} b", "{{id.x}}", inRequest(), "a placeholder has one brace on either side", "write {id.x}; {{ stands for the brace itself"},
		{"{{id.x}", "{{id.x}", inRequest(), "a placeholder has one brace on either side", "write {id.x}; {{ stands for the brace itself"},
		{"{{settings.a:int}}", "{{settings.a:int}}", inRequest(), "a placeholder has one brace on either side", "write {settings.a:int}; {{ stands for the brace itself"},
		{"{{a}", "}", inRequest(), "a brace without its partner", partner},
		{"{id}", "{id}", inRequest(), "{id} names no value", written},
		{"{id.}", "{id.}", inRequest(), "{id.} names no value", written},
		{"{id.a.b}", "{id.a.b}", inRequest(), "{id.a.b} names no value", written},
		{"{id.ä}", "{id.ä}", inRequest(), "{id.ä} names no value", written},
		{"{id.-a}", "{id.-a}", inRequest(), "{id.-a} names no value", written},
		{"{id.self:guid}", "{id.self:guid}", inRequest(), `unknown format "guid"`, "known: email, int, json, label, odata, uuid"},
		{"{id.self:host}", "{id.self:host}", inRequest(), `unknown format "host"`, "known: email, int, json, label, odata, uuid"},
		{"{id.self:}", "{id.self:}", inRequest(), `unknown format ""`, "known: email, int, json, label, odata, uuid"},
		{"{token}", "{token}", inRequest(), "{token} may not stand in a request", "allowed here: id, tenant, settings"},
		{"{id.self}", "{id.self}", inHost(), "{id.self} may not stand in a host", "allowed here: tenant, settings"},
		{"{id.self}", "{id.self}", inAuth(), "{id.self} may not stand under auth", "allowed here: settings"},
		{"{tenant.self}", "{tenant.self}", inSend(), "{tenant.self} may not stand under send", "allowed here: settings, token"},
		{"{token.x}", "{token.x}", inSend(), "{token} has no parts", "write {token}"},
		{"{token:int}", "{token:int}", inSend(), "{token} has no parts", "write {token}"},
		{"{tenant.self}.x", "{tenant.self}", inHost(), "{tenant.self} in a host needs the format label", "write {tenant.self:label}, so that a tenant cannot name another host"},
		{"{tenant.self:int}.x", "{tenant.self:int}", inHost(), "{tenant.self} in a host needs the format label", "write {tenant.self:label}, so that a tenant cannot name another host"},
		{"v-${env:X}", "{env:X}", inAuth(), "unknown placeholder {env:X}", written},
		{"${vault:X}", "{vault:X}", inAuth(), "unknown placeholder {vault:X}", written},
	} {
		t.Run(test.text+" "+test.in.where, func(t *testing.T) {
			_, problems := parsed(test.text, test.in)
			if len(problems) != 1 {
				t.Fatalf("%d mistakes, want one: %v", len(problems), problems)
			}
			p := problems[0]
			if p.Message != test.message || p.Hint != test.hint {
				t.Errorf("%q, hint %q\nwant %q, hint %q", p.Message, p.Hint, test.message, test.hint)
			}
			at := strings.LastIndex(test.text, test.caret)
			column, width := 1+len("t: '")+utf8.RuneCountInString(test.text[:at]), utf8.RuneCountInString(test.caret)
			if p.Line != 1 || p.Column != column || p.Width != width {
				t.Errorf("the caret is at %d:%d, %d wide; want 1:%d, %d", p.Line, p.Column, p.Width, column, width)
			}
		})
	}
}

func TestTwoMistakesOfOneTemplateAreBothTold(t *testing.T) {
	_, problems := parsed("{ident.a}/{id.b:guid}", inRequest())
	if len(problems) != 2 || problems[0].Column != 5 || problems[1].Column != 15 {
		t.Errorf("got %v", problems)
	}
}

func TestFormats(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, test := range []struct {
		format string
		yes    []string
		no     []string
	}{
		{
			"int",
			[]string{"0", "1", "42", "9223372036854775807", "999999999999999999"},
			[]string{"", "-1", "+1", "01", "00", "1.0", "1e3", "9223372036854775808", "10000000000000000000", "18446744073709551616", " 1", "1\n", "٣", "0x1", "1_0"},
		},
		{
			"uuid",
			[]string{"d3b07384-d9a1-4655-a08e-df5f4f6d7d19", "D3B07384-D9A1-4655-A08E-DF5F4F6D7D19", "00000000-0000-0000-0000-000000000000"},
			[]string{"", "d3b07384d9a14655a08edf5f4f6d7d19", "{d3b07384-d9a1-4655-a08e-df5f4f6d7d19}", "d3b07384-d9a1-4655-a08e-df5f4f6d7d1", "g3b07384-d9a1-4655-a08e-df5f4f6d7d19", "d3b07384-d9a1-4655-a08e-df5f4f6d7d19\n"},
		},
		{
			"label",
			[]string{"a", "a-b", "A1", "1", "xn--bcher-kva", long},
			[]string{"", "-a", "a-", "a.b", "a_b", "a/b", "a@b", "a:1", "ä", long + "a", "a\n", "evil.example/"},
		},
		{
			"email",
			[]string{"a@b.c", "casey.taylor+x@example.com", "üser@bücher.example", "a@localhost", "a!b%c@d.example"},
			[]string{"", "a", "@b", "a@", "a b@c.d", "a@b@c", "a@b.c\n", "<a@b.c>", `"a"@b.c`, "a,b@c.d", "a;b@c.d", "mailto:a@b.c", `a\@b.c`},
		},
		{
			"host",
			[]string{"a", "a.example", "a.example:8443", "1.2.3.4", "xn--bcher-kva.example", "A-1.example", long + ".example", "h:1", "h:65535"},
			[]string{"", ".", "a.", ".a", "a..b", "-a.b", "a_b", "a/b", "a@b", "a?b", "a#b", "a b", "h:0", "h:", "h:123456", "[::1]", "a.b\n", "ä.example", long + "a.b", strings.Repeat("a.", 126) + "aa", "https://a"},
		},
		{"text", []string{"", "anything\x00"}, nil},
		{"secret", []string{"", "anything"}, nil},
		{"", []string{"", "anything"}, nil},
	} {
		for _, value := range test.yes {
			if !Fits(test.format, value) {
				t.Errorf("%q is no %s", value, test.format)
			}
		}
		for _, value := range test.no {
			if Fits(test.format, value) {
				t.Errorf("%q is taken for a %s", value, test.format)
			}
		}
	}
	for _, n := range []uint64{0, 1, 1 << 31, 1 << 53, math.MaxInt64 - 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		if got, want := Fits("int", fmt.Sprint(n)), n <= math.MaxInt64; got != want {
			t.Errorf("Fits(int, %d) = %t", n, got)
		}
	}
}

func TestWhatAPlaceholderHasNotIsToldWithoutTheValue(t *testing.T) {
	in := func(text string) template {
		got, problems := parsed(text, spaces{allowed: []string{"id", "tenant", "settings", "token"}})
		if len(problems) > 0 {
			t.Fatal(problems[0])
		}
		return got
	}
	v := &values{query: Query{IDs: map[string]string{"self": "jane@acme.example", "bad": "canary\xff", "line": "canary\r\nX: y"}}}
	for _, test := range []struct{ text, want string }{
		{"{id.none}", "no value for {id.none}"},
		{"{tenant.none}", "no value for {tenant.none}"},
		{"{settings.none}", "no value for {settings.none}"},
		{"{token}", "no value for {token}"},
		{"{id.self:int}", "the value of {id.self} is not of the form int"},
		{"{id.bad}", "the value of {id.bad} is not UTF-8 text"},
		{"x{id.line}", "the value of {id.line} has control characters"},
	} {
		_, err := in(test.text).render(v, clean)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.text, err, test.want)
		}
	}
}

// awkward are values that have left their place somewhere before.
func awkward() []string {
	return []string{
		"", "a", ".", "..", "...", "../..", "a/b", `a\b`, "a?b=c", "a#b", "a%2Fb", "%2e%2e", "a b", "a+b", "a&b=c", "a;b", "a:b@c",
		"é", "日本", "😀", "\u202e", "\u0085", "a\x00b", "a\r\nX-Evil: 1", "\xff", "\xed\xa0\x80", "vmware.com:d3b07384-d9a1-4655-a08e-df5f4f6d7d19",
		"casey.taylor@example.com", "[email protected]", "{id.self}", "${env:X}", `"},{"a":"`, "~-._", "'; DROP", strings.Repeat("x", 300),
	}
}

func TestSegment(t *testing.T) {
	for value, want := range map[string]string{
		"a-Z_0.9~": "a-Z_0.9~", "a/b": "a%2Fb", "a?b#c": "a%3Fb%23c", "a%b": "a%25b", "a b+c": "a%20b%2Bc", "a@b:c": "a%40b%3Ac",
		"é": "%C3%A9", "...": "...", "%2e%2e": "%252e%252e", `\`: "%5C", "!$&'()*,;=": "%21%24%26%27%28%29%2A%2C%3B%3D", "": "",
	} {
		if got, err := segment(value); err != nil || got != want {
			t.Errorf("segment(%q) = %q, %v; want %q", value, got, err, want)
		}
	}
	for value, want := range map[string]string{
		".": "would leave its place in the path", "..": "would leave its place in the path",
		"a\nb": "has control characters", "\x7f": "has control characters", "\u0085": "has control characters", "\xff": "is not UTF-8 text",
	} {
		if got, err := segment(value); err == nil || err.Error() != want {
			t.Errorf("segment(%q) = %q, %v; want the error %q", value, got, err, want)
		}
	}
}

// checkSegment holds of every value: it comes back as it was, and cannot leave
// its place.
func checkSegment(t *testing.T, value string) {
	t.Helper()
	escaped, err := segment(value)
	if err != nil {
		return
	}
	if strings.ContainsAny(escaped, "/?#\\ ") || escaped == "." || escaped == ".." {
		t.Fatalf("segment(%q) = %q leaves its place", value, escaped)
	}
	for _, c := range []byte(escaped) {
		if c <= ' ' || c >= 0x7f {
			t.Fatalf("segment(%q) = %q has the byte %#x", value, escaped, c)
		}
	}
	if back, err := url.PathUnescape(escaped); err != nil || back != value {
		t.Fatalf("segment(%q) = %q, which reads as %q (%v)", value, escaped, back, err)
	}
}

func FuzzSegment(f *testing.F) {
	for _, value := range awkward() {
		f.Add(value)
	}
	f.Fuzz(checkSegment)
}

// FuzzTemplate: whatever a file says is a template or a mistake, and where a
// template renders into a path, each value reads there as it was.
func FuzzTemplate(f *testing.F) {
	for i, text := range []string{
		"{id.self}", "a{id.self}b", "{id.a}{id.b}", "{tenant.self:label}.x", "{settings.host}", "{", "}", "{{}}", "{id.}", "{id.x:int}", "${env:X}", "a:b", "", "{token}", "{id.self:uuid}/{id.self}", "x eq {id.self:json}", "'{id.x}'{id.y:odata}",
	} {
		f.Add(text, awkward()[i])
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if strings.ContainsAny(text, "\n\r\u0085\u2028\u2029") {
			return // what YAML makes of those is tested with it
		}
		for _, in := range []spaces{inRequest(), inHost(), inAuth(), inSend()} {
			all, problems := parsed(text, in)
			if len(problems) > 0 {
				continue
			}
			v := &values{query: Query{IDs: map[string]string{}, Tenant: map[string]string{}}, settings: Settings{}, token: value}
			want := ""
			for _, p := range all {
				v.query.IDs[p.ref.name], v.query.Tenant[p.ref.name], v.settings[p.ref.name] = value, value, NewSecret(value)
				if want += p.literal; p.ref != (reference{}) {
					want += quoted(p.ref.format, value)
				}
			}
			plain, err := all.render(v, clean)
			if err == nil && plain != want {
				t.Fatalf("%q renders as %q, want %q", text, plain, want)
			}
			rendered, err := all.render(v, segment)
			if err != nil || strings.Contains(text, "%") {
				continue
			}
			if back, err := url.PathUnescape(rendered); err != nil || back != want {
				t.Fatalf("%q renders as %q, which reads as %q (%v), want %q", text, rendered, back, err, want)
			}
		}
	})
}

// endpoint reads an address as it stands in a file.
func endpoint(text string) (Lookup, []*document.Problem) {
	var problems document.Problems
	root := document.Read("t.yaml", []byte("t: '"+strings.ReplaceAll(text, "'", "''")+"'"), &problems)
	if root == nil {
		return Lookup{}, problems.All()
	}
	lookup := parseEndpoint(root.Field("t"), inRequest(), inHost())
	return lookup, problems.All()
}

// FuzzEndpoint: an address that is accepted leads to the host and to as many
// segments as its author wrote, whatever the values are.
func FuzzEndpoint(f *testing.F) {
	for i, text := range []string{
		"GET https://{settings.host}/users/{id.self}", "https://h.example", "POST https://{tenant.self:label}.h.example/a/{id.self}/b?x={id.self}&y=%20", "GET http://h/",
		"https://h/%2e%2e/{id.self}", "https://h/.{id.self}", "https://h/a b", "https:///", "https://h/?a=%", "GET  https://h/", "https://h/{id.self:int}", "", "https://h//a", "https://{settings.host}.{settings.host}/",
	} {
		f.Add(text, awkward()[i])
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		lookup, problems := endpoint(text)
		if len(problems) > 0 {
			return
		}
		v := &values{query: Query{IDs: map[string]string{}, Tenant: map[string]string{}}, settings: Settings{}}
		for _, all := range lookup.templates() {
			for _, p := range all {
				v.query.IDs[p.ref.name], v.query.Tenant[p.ref.name], v.settings[p.ref.name] = value, value, NewSecret(value)
			}
		}
		address, err := lookup.url(v, nil)
		if err != nil {
			return
		}
		again, err := url.Parse(address.String())
		if err != nil {
			t.Fatalf("%q makes %q, which is no address: %v", text, address, err)
		}
		if again.Host != address.Host || again.Scheme != "https" || again.User != nil || again.Fragment != "" || !Fits("host", again.Host) {
			t.Fatalf("%q makes %q, which leads to %+v", text, address, again)
		}
		segments := strings.Split(strings.TrimPrefix(again.EscapedPath(), "/"), "/")
		if len(segments) != len(lookup.path) {
			t.Fatalf("%q makes %q with %d segments, want %d", text, address, len(segments), len(lookup.path))
		}
		for _, s := range segments {
			if plain, err := url.PathUnescape(s); err != nil || plain == "." || plain == ".." {
				t.Fatalf("%q makes %q, whose segment %q leaves its place", text, address, s)
			}
		}
		query, err := url.ParseQuery(again.RawQuery)
		if err != nil {
			t.Fatalf("%q makes %q, whose query is none: %v", text, address, err)
		}
		count := 0
		for _, vs := range query {
			count += len(vs)
		}
		if count > len(lookup.query) {
			t.Fatalf("%q makes %q with %d parameters, want at most %d", text, address, count, len(lookup.query))
		}
	})
}

func TestAbsentErrorsAreTold(t *testing.T) {
	_, err := template{{ref: reference{space: "settings", name: "host"}}}.render(&values{}, clean)
	if missing := (absentError{}); !errors.As(err, &missing) || missing.ref.String() != "settings.host" {
		t.Errorf("got %v", err)
	}
}
