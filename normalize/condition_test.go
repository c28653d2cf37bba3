package normalize

import (
	"testing"

	"muster/config/document"
)

func mustCondition(t testing.TB, src string) Condition {
	t.Helper()
	var problems document.Problems
	n := readNode(t, &problems, src)
	condition := new(Compiler).Condition(n)
	if err := problems.Err(); err != nil {
		t.Fatalf("%s\n%v", src, err)
	}
	return condition
}

func TestCondition(t *testing.T) {
	const reply = `{
		"s": "Abc", "header": "h", "n": 1, "d": 1.0, "big": 9007199254740993, "huge": 18446744073709551617, "e": 1e400, "t": true, "f": false,
		"nothing": null, "empty": "", "none": [], "object": {}, "o": {"x": "y"}, "list": ["a", 2, null, {"k": "v"}], "nulls": [null, ""], "nl": "a\nb", "twice": 1, "twice": 2
	}`
	for _, test := range []struct {
		yaml   string
		status int
		want   bool
	}{
		{`{}`, 200, true},

		{`{http: 404}`, 404, true},
		{`{http: 404}`, 400, false},
		{`{http: [404, 410]}`, 410, true},
		{`{http: [404, 410]}`, 411, false},
		{`{http: 5xx}`, 500, true},
		{`{http: 5xx}`, 599, true},
		{`{http: 5xx}`, 499, false},
		{`{http: [2xx, 304]}`, 304, true},
		{`{http: "404"}`, 404, true},
		{`{http: 404, s: Abc}`, 404, true},
		{`{http: 404, s: Abc}`, 200, false},
		{`{http: 404, s: abc}`, 404, false},

		{`{s: Abc}`, 200, true},
		{`{s: abc}`, 200, false},
		{`{s: [x, Abc]}`, 200, true},
		{`{s: [x, y]}`, 200, false},
		{`{s: []}`, 200, false},
		{`{missing: x}`, 200, false},
		{`{o.x: y}`, 200, true},
		{`{"o[\"x\"]": y}`, 200, true},
		{`{.: x}`, 200, false},
		{`{^.s: Abc}`, 200, false},

		{`{n: 1}`, 200, true},
		{`{n: 1.0}`, 200, true},
		{`{n: 10e-1}`, 200, true},
		{`{d: 1}`, 200, true},
		{`{n: "1"}`, 200, false},
		{`{n: 2}`, 200, false},
		{`{n: -1}`, 200, false},
		{`{n: true}`, 200, false},
		{`{n: "*"}`, 200, false},
		{`{big: 9007199254740993}`, 200, true},
		{`{big: 9007199254740992}`, 200, false},
		{`{big: 9007199254740992.0}`, 200, false},
		{`{big: 9007199254740993.0}`, 200, true},
		{`{huge: 18446744073709551617}`, 200, true},
		{`{huge: 18446744073709551616}`, 200, false},
		{`{e: 1e401}`, 200, false},

		{`{t: true}`, 200, true},
		{`{t: false}`, 200, false},
		{`{t: "true"}`, 200, false},
		{`{f: false}`, 200, true},
		{`{f: null}`, 200, false},
		{`{f: [true, null]}`, 200, false},
		{`{s: true}`, 200, false},

		{`{missing: null}`, 200, true},
		{`{missing: ~}`, 200, true},
		{`{nothing: null}`, 200, true},
		{`{empty: null}`, 200, true},
		{`{empty: ""}`, 200, true},
		{`{missing: ""}`, 200, true},
		{`{s: ""}`, 200, false},
		{`{none: null}`, 200, true},
		{`{object: null}`, 200, true},
		{`{nulls: null}`, 200, true},
		{`{s: null}`, 200, false},
		{`{o: null}`, 200, false},
		{`{missing: [Abc, null]}`, 200, true},
		{`{s: [Abc, null]}`, 200, true},

		{`{s: "A*"}`, 200, true},
		{`{s: "a*C"}`, 200, true},
		{`{s: "*B*"}`, 200, true},
		{`{s: "*"}`, 200, true},
		{`{s: "*b"}`, 200, false},
		{`{s: "b*"}`, 200, false},
		{`{s: "a.*"}`, 200, false}, // only * is special
		{`{s: [x, "a*"]}`, 200, true},
		{`{nl: "a*B"}`, 200, true},
		{`{missing: "*"}`, 200, false},
		{`{empty: "*"}`, 200, false},
		{`{o: "*"}`, 200, false},
		{`{t: "*"}`, 200, false},

		{`{list: a}`, 200, true}, // one of them will do
		{`{list: 2}`, 200, true},
		{`{list.k: v}`, 200, true},
		{`{list: null}`, 200, false},
		{`{list: b}`, 200, false},

		{`{twice: 1}`, 200, false},
		{`{twice: 2}`, 200, false},
		{`{twice: "*"}`, 200, false},
		{`{twice: [1, 2, null]}`, 200, false},

		{`{header: {X-Left: 0}}`, 200, true},
		{`{header: {x-LEFT: "0"}}`, 200, true},
		{`{header: {X-Left: [1, 0]}}`, 200, true},
		{`{header: {X-Left: 1}}`, 200, false},
		{`{header: {X-Left: 0.0}}`, 200, false}, // as it is written
		{`{header: {X-Cut: true}}`, 200, true},
		{`{header: {X-Cut: "TRUE"}}`, 200, false},
		{`{header: {X-Cut: "TRU*"}}`, 200, true},
		{`{header: {Link: '*rel="next"*'}}`, 200, true}, // the second of two
		{`{header: {Link: '*rel="last"*'}}`, 200, false},
		{`{header: {Link: null}}`, 200, false},
		{`{header: {X-None: null}}`, 200, true},
		{`{header: {X-None: "*"}}`, 200, false},
		{`{header: {X-Empty: null}}`, 200, true},
		{`{header: {X-None: [x, null]}}`, 200, true},
		{`{header: {X-Left: 0, X-Cut: true}}`, 200, true},
		{`{header: {X-Left: 0, X-Cut: false}}`, 200, false},
		{`{'["header"]': h}`, 200, true}, // a member of that name

		{`{cel: data.n == 1}`, 200, true},
		{`{cel: body.n == 2}`, 200, false},
		{`{cel: http == 404}`, 404, true},
		{`{cel: data.missing == 1}`, 200, false},
		{`{cel: '!data.missing'}`, 200, false},
		{`{cel: data.s}`, 200, false}, // a text is not true
		{`{cel: '"true"'}`, 200, false},
		{`{cel: data.twice == 1}`, 200, false},
		{`{cel: '!has(data.twice)'}`, 200, false},
		{`{cel: data.n == 1, s: Abc, http: 200}`, 200, true},
		{`{cel: data.n == 2, s: Abc}`, 200, false},
	} {
		scope := replyOf(t, reply)
		scope.Status = test.status
		scope.Header = map[string][]string{"X-Left": {"0"}, "X-Cut": {"true"}, "Link": {`<a>; rel="self"`, `<b>; rel="next"`}, "X-Empty": {""}}
		condition := mustCondition(t, test.yaml)
		if got := condition.Holds(scope, At(scope.Data)); got != test.want {
			t.Errorf("%s of status %d: %t, want %t", test.yaml, test.status, got, test.want)
		}
		if condition.Empty() != (test.yaml == "{}") {
			t.Errorf("%s: Empty is %t", test.yaml, condition.Empty())
		}
	}
	var zero Condition
	if !zero.Empty() || !zero.Holds(&Scope{}, At(nil)) {
		t.Error("the zero condition does not hold")
	}
}

// CEL sees the reply, paths see what the condition is asked of.
func TestConditionOfAnItem(t *testing.T) {
	scope := replyOf(t, `{"ok":false,"list":[{"ok":true}]}`)
	for item := range mustPath(t, "list").Each(At(scope.Data)) {
		for yaml, want := range map[string]bool{`{ok: true}`: true, `{^.ok: false}`: true, `{cel: data.ok}`: false, `{cel: '!data.ok'}`: true} {
			if got := mustCondition(t, yaml).Holds(scope, item); got != want {
				t.Errorf("%s: %t, want %t", yaml, got, want)
			}
		}
	}
}

func TestPlainNumber(t *testing.T) {
	for _, same := range [][]Number{
		{"0", "-0", "0.0", "0e5", "-0.00E-3"},
		{"1", "1.0", "10e-1", "0.1E1", "0.01e+2", "1e0"},
		{"-1500", "-1.5e3", "-15E2", "-1500.000"},
		{"9007199254740993", "9007199254740993.0", "9.007199254740993e15"},
		{"9007199254740992"},
		{"1e400", "10e399"},
		{"-1e400"},
		{"1e-400", "0.1e-399"},
		{"1e99999999999999999999"}, // as it is written
		{"1e99999999999999999998"},
	} {
		for _, other := range same {
			if plainNumber(other) != plainNumber(same[0]) {
				t.Errorf("%s is %s, and %s is %s", other, plainNumber(other), same[0], plainNumber(same[0]))
			}
		}
	}
	seen := map[string]Number{}
	for _, n := range []Number{"0", "1", "-1", "10", "0.1", "11", "101", "9007199254740993", "9007199254740992", "1e400", "-1e400", "1e-400", "1e99999999999999999999", "1e99999999999999999998"} {
		if other, twice := seen[plainNumber(n)]; twice {
			t.Errorf("%s and %s are both %s", n, other, plainNumber(n))
		}
		seen[plainNumber(n)] = n
	}
}

func TestConditionMistakes(t *testing.T) {
	compile := func(c *Compiler, n *document.Node) { c.Condition(n) }
	testMistakes(t, compile, []mistake{
		{`a`, "d.yaml:1:1 «a» expected a mapping, found a single value"},
		{`[{a: b}]`, "d.yaml:1:1 «[» expected a mapping, found a list"},
		{`{header: X-Left}`, "d.yaml:1:10 «X-Left» expected a mapping, found a single value"},
		{`{header: {}}`, "d.yaml:1:10 «{» a header is missing here | write {NAME: VALUE}"},
		{`{header: {X Left: 0}}`, "d.yaml:1:11 «X Left» not a header's name: \"X Left\" | letters, digits and hyphens"},
		{`{header: {X-Left: {a: b}}}`, "d.yaml:1:19 «{» expected a literal, found a mapping | write one value, a list of values, or null for absent"},
		{`{http: 99}`, `d.yaml:1:8 «99» not an HTTP status: "99" | write 404, [404, 410] or 5xx`},
		{`{http: [404, 4XX, 600, 40x, "5xx "]}`, `d.yaml:1:14 «4XX» not an HTTP status: "4XX" | write 404, [404, 410] or 5xx` + "\n" +
			`d.yaml:1:19 «600» not an HTTP status: "600" | write 404, [404, 410] or 5xx` + "\n" +
			`d.yaml:1:24 «40x» not an HTTP status: "40x" | write 404, [404, 410] or 5xx` + "\n" +
			`d.yaml:1:29 «"5xx "» not an HTTP status: "5xx " | write 404, [404, 410] or 5xx`},
		{`{http: ""}`, `d.yaml:1:8 «""» not an HTTP status: "" | write 404, [404, 410] or 5xx`},
		{`{http: ~}`, "d.yaml:1:8 «~» expected a single value, found nothing" + noValue},
		{`{http: {a: 404}}`, "d.yaml:1:8 «{» expected a single value, found a mapping"},
		{`{a: {b: c}}`, "d.yaml:1:5 «{» expected a literal, found a mapping | write one value, a list of values, or null for absent"},
		{`{a: [b, [c]]}`, "d.yaml:1:9 «[» expected a literal, found a list | write one value, a list of values, or null for absent"},
		{`{a: 0x1F}`, `d.yaml:1:5 «0x1F» "0x1F" is not a value that JSON knows`},
		{`{a: [.nan, 1]}`, `d.yaml:1:6 «.nan» ".nan" is not a value that JSON knows`},
		{`{a..b: 1, c.: .inf}`, "d.yaml:1:4 «.» a name is missing before this dot\nd.yaml:1:12 «.» a name is missing after this dot\n" + `d.yaml:1:15 «.inf» ".inf" is not a value that JSON knows`},
		{`{"": 1}`, `d.yaml:1:3 «"» a path is missing here | write . for the record itself`},
		{`{cel: }`, "d.yaml:1:7 «}» expected a single value, found nothing" + noValue},
		{`{cel: ""}`, `d.yaml:1:7 «""» a CEL expression is missing here | the expression sees data, body and http`},
		{`{cel: [a]}`, "d.yaml:1:7 «[» expected a single value, found a list"},
		{`{cel: nope, a: b.}`, "d.yaml:1:7 «n» CEL: undeclared reference to 'nope' | the expression sees data, body and http"},
	})
}
