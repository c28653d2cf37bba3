package normalize

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

func mustCEL(t testing.TB, expression string) *program {
	t.Helper()
	var problems document.Problems
	p := new(Compiler).cel(readNode(t, &problems, "|-\n  "+expression+"\n"))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCEL(t *testing.T) {
	const reply = `{
		"n": 1, "d": 1.5, "whole": 2.0, "e": 1e2, "minus": -0, "int": 9007199254740993, "uint": 18446744073709551615, "beyond": 18446744073709551616, "inf": 1e400,
		"s": "canary", "t": true, "nothing": null, "list": [3, 1], "object": {"b": 2, "c": 3, "a": 1}, "twice": 1, "twice": 2, "within": {"z": 1, "z": 2, "y": 3}
	}`
	number := func(text string) any { return Number(text) }
	for _, test := range []struct {
		expression string
		want       any
		err        string
	}{
		{`data.s`, "canary", ""},
		{`body.s + "!"`, "canary!", ""},
		{`http`, number("200"), ""},
		{`data.t && http == 200`, true, ""},

		{`data.n`, number("1"), ""},
		{`data.d`, number("1.5"), ""},
		{`data.whole`, number("2"), ""},
		{`data.e`, number("100"), ""},
		{`data.minus`, number("0"), ""},
		{`data.int`, number("9007199254740993"), ""},
		{`data.int - 1`, number("9007199254740992"), ""},
		{`data.uint`, number("18446744073709551615"), ""},
		{`data.uint == 18446744073709551615u`, true, ""},
		{`type(data.beyond) == double`, true, ""},
		{`data.n == 1.0 && data.n == 1u`, true, ""},
		{`string(data.int)`, "9007199254740993", ""},
		{`9223372036854775807 + data.n`, nil, ""}, // it overflows
		{`1 / (data.n - 1)`, nil, ""},
		{`data.inf`, nil, ""},
		{`data.inf - data.inf`, nil, ""}, // NaN

		{`data.missing`, nil, ""},
		{`data.missing.more`, nil, ""},
		{`data.missing == 1`, nil, ""},
		{`has(data.missing)`, false, ""},
		{`data.nothing`, nil, ""},
		{`data.nothing == null`, true, ""},
		{`data.s.missing`, nil, ""},
		{`int(data.s)`, nil, ""},
		{`null`, nil, ""},

		{`data.list`, []any{number("3"), number("1")}, ""},
		{`data.list.map(x, x * 2)`, []any{number("6"), number("2")}, ""},
		{`[data.n, null, [data.s]]`, []any{number("1"), nil, []any{"canary"}}, ""},
		{`data.object`, map[string]any{"a": number("1"), "b": number("2"), "c": number("3")}, ""},
		{`data.object == {"a": 1, "b": 2, "c": 3}`, true, ""},
		{`"a" in data.object && size(data.object) == 3`, true, ""},
		{`data.object.map(k, k)`, []any{"a", "b", "c"}, ""}, // in their order, each time
		{`data.object.filter(k, data.object[k] > 1)`, []any{"b", "c"}, ""},
		{`{data.n: true, 2u: [null]}`, map[string]any{"1": true, "2": []any{nil}}, ""},
		{`timestamp("2020-03-25T06:36:40.5+02:00")`, "2020-03-25T04:36:40.5Z", ""},
		{`data.s.upperAscii().replace("A", "4").split("N").join("-")`, "C4-4RY", ""},
		{`data.s.replace("a", "", 1)`, "cnary", ""},
		{`data.s.replace("a", "4", -1) + data.s.replace("a", "4", 0)`, "c4n4rycanary", ""},
		{`data.s.replace("", "-", 2)`, "-c-anary", ""},
		{`[data.s, "x"].join()`, "canaryx", ""},
		{`[].join("-")`, "", ""},
		{`data.list.join("-")`, nil, ""}, // of numbers
		{`"%s %d %.1f %x %s".format([data.s, data.n, data.d, b"a", duration("3s")])`, "canary 1 1.5 61 3s", ""},
		{`"%s %s".format([data.list, data.object])`, "[3, 1] {a: 1, b: 2, c: 3}", ""},
		{`"%d".format([data.s])`, nil, ""},
		{`"%s".format([data.within])`, nil, errAmbiguous.Error()},
		{`[data.s, data.n].join("-")`, nil, ""},

		{`duration("3s")`, nil, "a CEL result of type google.protobuf.Duration fits no member"},
		{`b"canary"`, nil, "a CEL result of type bytes fits no member"},
		{`[{"canary": bytes(data.s)}]`, nil, "a CEL result of type bytes fits no member"},
		{`type(data.s)`, nil, "a CEL result of type type fits no member"},

		{`data.twice`, nil, errAmbiguous.Error()},
		{`has(data.twice)`, nil, errAmbiguous.Error()},
		{`data.twice == 1 || data.twice == 2`, nil, errAmbiguous.Error()},
		{`data.twice == 1 || data.t`, true, ""}, // it makes no difference
		{`data.within`, nil, errAmbiguous.Error()},
		{`[data.within]`, nil, errAmbiguous.Error()},
		{`data.within.y`, number("3"), ""},
	} {
		t.Run(test.expression, func(t *testing.T) {
			p, scope := mustCEL(t, test.expression), replyOf(t, reply)
			for range 2 { // the second time it is remembered
				got, err := p.value(scope)
				if says := errorText(err); says != test.err {
					t.Fatalf("error %q, want %q", says, test.err)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
			if p.holds(scope) != (test.want == true) {
				t.Errorf("as a condition it is %t", p.holds(scope))
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// The record need not be an object.
func TestCELOverAnyRecord(t *testing.T) {
	for _, test := range []struct{ reply, expression, want string }{
		{`[{"a":"x"},{"a":"y"}]`, `data[1].a`, "y"},
		{`"x"`, `data + "!"`, "x!"},
		{`null`, `data == null ? "nothing" : "something"`, "nothing"},
	} {
		got, err := mustCEL(t, test.expression).value(replyOf(t, test.reply))
		if err != nil || got != test.want {
			t.Errorf("%s of %s is %v, %v, want %s", test.expression, test.reply, got, err, test.want)
		}
	}
}

// Whatever a reply makes an expression cost, it ends, soon, and with an error
// that says nothing of the reply.
func TestCELIsBounded(t *testing.T) {
	text, numbers := strings.Repeat("canary", 80_000), strings.TrimSuffix(strings.Repeat("1,", 50_000), ",")
	scope := replyOf(t, `{"big":"`+text+`","list":[`+numbers+`]}`)
	for _, expression := range []string{
		`data.list.all(a, data.list.all(b, a == b))`,
		`data.list.map(a, data.list.map(b, data.list.map(c, c))).size()`,
		`data.list.map(a, data.big.lowerAscii()).size()`,
		`data.list.filter(a, data.big.matches("^(c+a+)+$")).size()`,
		`data.list.map(a, data.list)`, // small while it is shared
		`data.list.map(a, data.big)`,
		`data.list.map(a, string(a)).join(data.big)`, // 24 GB, were they made
		`data.list.map(a, string(a)).join(data.big).size()`,
		`data.list.map(a, data.big).join()`,
		`data.big.replace("", data.big).size()`,
		`data.big.replace("canary", data.big, 79999).size()`,
		`"%s".format([data.list.map(a, data.big)]).size()`, // 24 GB
		`"%s".format([{"a": data.list.map(a, {"b": data.big})}]).size()`,
		`data.list.map(a, "%s").join("").format(data.list.map(a, data.big)).size()`,
		`"%s%s%s".format([data.big, data.big, data.big])`,
	} {
		t.Run(expression, func(t *testing.T) {
			p, start := mustCEL(t, expression), time.Now()
			got, err := p.value(scope)
			if err == nil || got != nil || err.Error() != "the CEL expression costs more than 1000000 steps" {
				t.Errorf("%.80v, %v", got, err)
			}
			if p.holds(scope) {
				t.Error("as a condition it holds")
			}
			if took := time.Since(start); took > 20*time.Second { // far more than even a busy machine needs
				t.Errorf("it took %v", took)
			}
		})
	}
	for expression, want := range map[string]any{ // what one may do with such a reply
		`data.list.all(a, a == 1)`:                     true,
		`data.list.map(a, string(a)).join(",").size()`: Number("99999"),
		`data.big.replace("canary", "bird").size()`:    Number("320000"),
		`(data.big + data.big).size()`:                 Number("960000"),
		`"%s %d".format([data.big, 1]).size()`:         Number("480002"),
		`"%s".format([data.list.filter(a, a > 1)])`:    "[]",
	} {
		if got, err := mustCEL(t, expression).value(scope); err != nil || got != want {
			t.Errorf("%s is %v, %v, want %v", expression, got, err, want)
		}
	}
}

// CEL does not see the item at hand, so it is asked once for all of them: asked
// for each it would cost its limit as often as a reply likes.
func TestCELIsAskedOnce(t *testing.T) {
	items := strings.TrimSuffix(strings.Repeat(`{"n":"x"},`, 20_000), ",")
	mapping := mustMapping(t, `profile: {groups: {each: list, value: {path: n, when: {cel: 'data.list.all(a, a.n == "x")'}}}}`)
	scope, start := replyOf(t, `{"list":[`+items+`]}`), time.Now()
	record, _, err := mapping.Apply(scope, asOf())
	if err != nil || !cmp.Equal(record.Profile.Groups, []Group{{Value: "x"}}) {
		t.Errorf("%v, %v", record.Profile.Groups, err)
	}
	if took := time.Since(start); took > 20*time.Second { // once takes 20 ms, for each of them minutes
		t.Errorf("it took %v", took)
	}
}

func TestCELErrorsAreTheMembers(t *testing.T) {
	list := strings.TrimSuffix(strings.Repeat("1,", 5_000), ",")
	testMapped(t, []mapped{
		{name: "too costly", yaml: `displayName: [{cel: 'data.l.all(a, data.l.all(b, a == b)) ? "x" : "y"'}, s]`, json: `{"s":"canary","l":[` + list + `]}`, err: "displayName: the CEL expression costs more than 1000000 steps"},
		{name: "too costly as a condition", yaml: `displayName: [{path: s, when: {cel: 'data.l.all(a, data.l.all(b, a == b))'}}, t]`, json: `{"s":"x","t":"y","l":[` + list + `]}`, want: named("y")},
		{name: "no such type", yaml: `name: {givenName: {cel: bytes(data.s)}}`, json: `{"s":"canary"}`, err: "name.givenName: a CEL result of type bytes fits no member"},
		{name: "an object", yaml: `displayName: {cel: data}`, json: `{"s":"canary"}`, notes: []string{"displayName: expected text, found an object"}},
		{name: "an instant", yaml: `createdAt: {cel: timestamp(data.s)}`, json: `{"s":"2020-03-25T06:36:40+02:00"}`, want: profile(Profile{CreatedAt: time.Date(2020, 3, 25, 4, 36, 40, 0, time.UTC)})},
		{name: "an instant from a count", yaml: `createdAt: {cel: data.n + 1, as: epoch_s}`, json: `{"n":1585110999}`, want: profile(Profile{CreatedAt: time.Date(2020, 3, 25, 4, 36, 40, 0, time.UTC)})},
		{name: "a list within a list", yaml: `requiredActions: {cel: '[data.s, [data.s]]'}`, json: `{"s":"x"}`, want: profile(Profile{RequiredActions: []string{"x"}}), notes: []string{"requiredActions: expected text, found a list"}},
		{name: "a scalar takes the first", yaml: `displayName: {cel: '["", null, data.s, "y"]'}`, json: `{"s":"x"}`, want: named("x")},
	})
}

func TestCELResultIsNotNestedWithoutEnd(t *testing.T) {
	deep := func(n int) *Scope {
		return replyOf(t, strings.Repeat("[", n)+"1"+strings.Repeat("]", n))
	}
	if _, err := mustCEL(t, `data`).value(deep(MaxDepth)); err != nil {
		t.Error(err)
	}
	for _, expression := range []string{`[data]`, `{"a": data}`} {
		if _, err := mustCEL(t, expression).value(deep(MaxDepth)); errorText(err) != "the CEL result is nested deeper than "+strconv.Itoa(MaxDepth) {
			t.Errorf("%s: %v", expression, err)
		}
	}
}

func TestCELMistakes(t *testing.T) {
	const (
		sees     = " | the expression sees data, body and http"
		expected = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
	)
	testMistakes(t, func(c *Compiler, n *document.Node) { c.cel(n) }, []mistake{
		{`' '`, "d.yaml:1:1 «' '» a CEL expression is missing here" + sees},
		{`[a]`, "d.yaml:1:1 «[» expected a single value, found a list"},
		{`'1 +'`, "d.yaml:1:5 «'» CEL: Syntax error: mismatched input '<EOF>' expecting " + expected + sees},
		{`x y z`, "d.yaml:1:3 «y» CEL: Syntax error: mismatched input 'y' expecting <EOF>" + sees},
		{`nope`, "d.yaml:1:1 «n» CEL: undeclared reference to 'nope'" + sees},
		{`"\u0022é\" + nope"`, "d.yaml:1:14 «n» CEL: undeclared reference to 'nope'" + sees},
		{`1 + 'a'`, "d.yaml:1:3 «+» CEL: found no matching overload for '_+_' applied to '(int, string)'" + sees},
		{`data.x(1)`, "d.yaml:1:7 «(» CEL: undeclared reference to 'x'" + sees},
		{`nope + nada`, "d.yaml:1:1 «n» CEL: undeclared reference to 'nope'" + sees + "\nd.yaml:1:8 «n» CEL: undeclared reference to 'nada'" + sees},
		{"|\n  data.a ||\n    'é' == nope\n", "d.yaml:3:12 «n» CEL: undeclared reference to 'nope'" + sees},
		{">-\n  data.a ||\n  nope\n", "d.yaml:3:3 «n» CEL: undeclared reference to 'nope'" + sees},
		{"|\n  data.a +\n  data.\n", "d.yaml:3:8 « » CEL: Syntax error: no viable alternative at input '.\\n'" + sees},
		{`data.s.matches('(')`, "d.yaml:1:1 «data.s.matches('(')» CEL: error parsing regexp: missing closing ): `(`"},
		{`'"%.101f".format([1.0])'`, "d.yaml:1:17 «(» CEL: could not parse formatting clause: error while parsing precision: precision 101 exceeds maximum allowed precision 100" + sees},
	})
	var problems document.Problems
	new(Compiler).cel(readNode(t, &problems, "'"+strings.Repeat("(", 5_000)+"1"+strings.Repeat(")", 5_000)+"'"))
	if got := problems.All(); len(got) != 1 || got[0].Message != "CEL: expression recursion limit exceeded: 250" {
		t.Errorf("nested too deep: %q", briefs(&problems))
	}
}
