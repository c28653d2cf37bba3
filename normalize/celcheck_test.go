package normalize

import (
	"strings"
	"testing"
	"unicode/utf8"

	"muster/config/document"
)

// documentedReply is a reply as a sample has it: each form once, and what the
// samples leave open.
const documentedReply = `{
	"name": "Jane", "id": 42, "ratio": 1.5, "mixed": 1, "either": "x", "on": true, "nothing": null, "none": [], "object": {}, "odd.key": "x",
	"mails": [{"value": "a@b.example", "verified": true}, {"value": null, "verified": false, "type": "home"}], "phones": [{"number": "1"}], "texts": ["a"], "numbers": [1],
	"profile": {"city": "Aveiro", "value": "v"}, "people": {"42": {"name": "Jane"}}
}`

// checkCEL types an expression from documentedReply and a second reply.
func checkCEL(t *testing.T, problems *document.Problems, yaml string) {
	t.Helper()
	var c Compiler
	c.cel(readNode(t, problems, yaml))
	first, second := parsedJSON(t, documentedReply), parsedJSON(t, `{"mixed": 1.5, "either": 1, "error": {"code": "E1"}}`)
	c.CheckCEL("d.yaml", Samples{Bodies: []any{first, second}, Records: []any{first}})
}

func parsedJSON(t testing.TB, text string) any {
	t.Helper()
	v, err := ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What means something of replies like the samples is no mistake, whatever CEL's
// own types say of it.
func TestCELThatTheSamplesAllow(t *testing.T) {
	for _, expression := range []string{
		`data.name == "x" && data.id == 1 && data.on`, `data.name == null || null != data.on || data.mails == null || data.profile != null || data.id == null`,
		`has(data.name) && has(data.profile.city) && !has(body.error.code)`,
		`data.id == 1.0 && data.id < 1.5 && data.ratio >= 1 && 2u > data.id && data.ratio == 1`, `data.id in [1.5, 2.5] || data.ratio in [1, 2]`,
		`body.mixed + 1`, `body.mixed == "x"`, `body.either.lowerAscii()`, `body.either == 1`, `data.mixed == 1.0`, `data.nothing.anything == 1`, `data.none.map(x, x.any)`, `data.object.any`,
		`"name" in data && "x" in data.profile && !("a" in data.texts)`, `"mails" in data ? data.mails[0].value : null`,
		`type(data) == map && type(data.name) != list`, `data["name"] + data["odd.key"]`, `data[data.name] == 1`,
		`size(data) > 1 && data.size() > 1 && data.mails.size() == 2 && size(data.name) == 4`,
		`data.profile.exists(k, k == "city")`, `data.profile.map(k, data.profile[k])`, `data.profile == {"city": "x"}`, `{} == data.profile`, `data.profile == data.profile`,
		`data.mails.filter(m, m.verified == true).map(m, m.value.lowerAscii())`, `data.mails.exists_one(m, m.type == "home")`, `data.mails.all(m, has(m.value))`,
		`(data.mails + data.phones).map(x, x)`, `data.texts + [1]`, `data.name + "x" == "Janex"`, `data.on ? data.name : data.id`, `data.on ? data.name : null`, `[data.name, data.id, null]`, `{"a": data.name, "b": data.id}`,
		`data.people["7"].anything == 1`, `data.people.any.thing == "x"`,
		`string(data.id) + string(data.name)`, `data.texts.join(",") == "a"`, `"%s %d".format([data.name, data.id])`, `http == 200 && http / 100 == 2`, `timestamp(data.name) < timestamp("2020-01-01T00:00:00Z")`,
		`!(string(body.name).lowerAscii() in ["success", "ok"])`, `data.mails.filter(m, m.value in data.texts).size()`, `body.error.code == "E1"`,
	} {
		var problems document.Problems
		if checkCEL(t, &problems, "|-\n  "+expression+"\n"); problems.Len() > 0 {
			t.Errorf("%s:\n%v", expression, problems.Err())
		}
	}
}

func TestCELMistakesThatTheSamplesShow(t *testing.T) {
	const (
		samples = " | types and members are those of the samples: the replies of the inline tests"
		mails   = " | known here: type, value, verified; the samples are the replies of the inline tests"
	)
	for _, test := range []struct{ yaml, says string }{
		{`data.naem == "x"`, `d.yaml:1:6 «naem» CEL: no sample has the member "naem" | did you mean "name"?`},
		{`"data . naem == 'x'"`, `d.yaml:1:9 «naem» CEL: no sample has the member "naem" | did you mean "name"?`},
		{`'"é" == data.profile.zzz'`, `d.yaml:1:22 «zzz» CEL: no sample has the member "zzz" | known here: city, value; the samples are the replies of the inline tests`},
		{`"\u0022\xe9\" == data.profile.zzz"`, `d.yaml:1:31 «zzz» CEL: no sample has the member "zzz" | known here: city, value; the samples are the replies of the inline tests`},
		{`has(data.profil)`, `d.yaml:1:10 «profil» CEL: no sample has the member "profil" | did you mean "profile"?`},
		{`has(data.name) && has(data.profile.cty)`, `d.yaml:1:36 «cty» CEL: no sample has the member "cty" | did you mean "city"?`},
		{`has(data.profile.profile)`, `d.yaml:1:18 «profile» CEL: no sample has the member "profile" | known here: city, value; the samples are the replies of the inline tests`},
		{`data["naem"] == 'x'`, `d.yaml:1:6 «"naem"» CEL: no sample has the member "naem" | did you mean "name"?`},
		{`data.mails[0].zzz`, `d.yaml:1:15 «zzz» CEL: no sample has the member "zzz"` + mails},
		{`data.mails.filter(m, m.verified).map(m, m.vaule)`, `d.yaml:1:43 «vaule» CEL: no sample has the member "vaule" | did you mean "value"?`},
		{`data.mails.exists(m, m.zzz == 1)`, `d.yaml:1:24 «zzz» CEL: no sample has the member "zzz"` + mails},
		{`'data.on ? data.naem : data.id'`, `d.yaml:1:17 «naem» CEL: no sample has the member "naem" | did you mean "name"?`},
		{"|\n  data.on &&\n    body.error.cod == 'x'\n", `d.yaml:3:16 «cod» CEL: no sample has the member "cod" | did you mean "code"?`},
		{"|\n  data.name == 'é' && data.zname ==\n    data.naem\n", "d.yaml:2:28 «zname» CEL: no sample has the member \"zname\" | did you mean \"name\"?\nd.yaml:3:10 «naem» CEL: no sample has the member \"naem\" | did you mean \"name\"?"},
		{">-\n  data.on &&\n  data.naem == 'x'\n", `d.yaml:3:8 «naem» CEL: no sample has the member "naem" | did you mean "name"?`},

		{`data.name == 1`, "d.yaml:1:11 «==» CEL: == does not take a text and a number" + samples},
		{`1 != data.name`, "d.yaml:1:3 «!=» CEL: != does not take a number and a text" + samples},
		{`data.on == "true"`, "d.yaml:1:9 «==» CEL: == does not take true or false and a text" + samples},
		{`data.profile == data.name`, ""}, // an object is compared with anything: see functions
		{`data.name == data.mails`, "d.yaml:1:11 «==» CEL: == does not take a text and a list" + samples},
		{`data.name > 1`, "d.yaml:1:11 «>» CEL: > does not take a text and a number" + samples},
		{`data.name + 1`, "d.yaml:1:11 «+» CEL: + does not take a text and a number" + samples},
		{`data.name in [1, 2]`, "d.yaml:1:11 «in» CEL: in does not take a text and a list" + samples},
		{`data.on.lowerAscii()`, "d.yaml:1:9 «lowerAscii» CEL: lowerAscii does not take true or false" + samples},
		{`data.name.startsWith( data.id )`, "d.yaml:1:11 «startsWith» CEL: startsWith does not take a text and a number" + samples},
		{`size (data.id)`, "d.yaml:1:1 «size» CEL: size does not take a number" + samples},
		{`data.name && data.on`, "d.yaml:1:6 «name» CEL: expected true or false, found a text" + samples},
		{`'data.name ? 1 : 2'`, "d.yaml:1:12 «?» CEL: ? does not take a text and a number and a number" + samples},
		{`data.mails.value`, "d.yaml:1:12 «value» CEL: a list has no members" + samples},
		{`data.name.first`, "d.yaml:1:11 «first» CEL: a text has no members" + samples},
		{`data.id.map(x, x)`, "d.yaml:1:6 «id» CEL: a number has no items" + samples},
		{`data[0]`, "d.yaml:1:5 «[» CEL: [ does not take an object and a number" + samples},
		{`data.mails[data.name]`, "d.yaml:1:11 «[» CEL: [ does not take a list and a text" + samples},
	} {
		t.Run(test.yaml, func(t *testing.T) {
			var problems document.Problems
			checkCEL(t, &problems, test.yaml+"\n")
			if got := strings.Join(briefs(&problems), "\n"); got != test.says {
				t.Errorf("got\n%s\nwant\n%s", got, test.says)
			}
		})
	}
}

// Whatever stands under cel is an expression or a mistake, and each mistake stands
// within it.
func FuzzCheckCEL(f *testing.F) {
	for _, expression := range []string{
		`data.mails.filter(m, m.verified == true).map(m, m.value)`, `has(data.a.b) ? data["x"] : {"a": [1, 2.0, null]}`, `data.zzz.map(x, x + 1, x)`, `"é" in data && null in data.texts`,
		`[1, 2].exists_one(x, data.mails[x].value == x)`, `data == data == data`, `type(data) == type(1)`, `data.map(k, data[k].map(x, x.y))`, `a{b: 1}`, `data.?a`, "data.\n  name", `.data.name`, `google.protobuf.Int32Value{value: data.id}`,
	} {
		f.Add(expression)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		if !utf8.ValidString(expression) || strings.ContainsAny(expression, "\r\u0085\u2028\u2029\ufeff") || strings.TrimSpace(expression) != expression || len(expression) > 500 {
			return // what YAML makes of those is tested with it
		}
		var problems document.Problems
		n := document.Read("d.yaml", []byte("c: |-\n  "+strings.ReplaceAll(expression, "\n", "\n  ")+"\n"), &problems)
		if n == nil || n.Field("c") == nil || n.Field("c").Kind() != document.Scalar {
			return
		}
		var c Compiler
		c.cel(n.Field("c"))
		sample := parsedJSON(t, documentedReply)
		c.CheckCEL("d.yaml", Samples{Bodies: []any{sample}, Records: []any{sample}})
		for _, p := range problems.All() {
			if p.Line < 1 || p.Line > 2+strings.Count(expression, "\n") || p.Width < 1 || strings.Contains(p.Message, "@items") || strings.Contains(p.Message, "@equal") {
				t.Fatalf("%q: %v", expression, p)
			}
		}
	})
}
