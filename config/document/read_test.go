package document_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

// reading is one value, what a reader makes of it, and what it says of it.
type reading[T any] struct {
	src  string // the value under the key a
	want T
	says string // of the one mistake; "" for none
}

func testReader[T any](t *testing.T, readValue func(*document.Node) T, tests []reading[T]) {
	t.Helper()
	for _, tt := range tests {
		n, problems := value(t, "a: "+tt.src+"\n")
		got := readValue(n)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.src, diff)
		}
		says := strings.Join(briefs(problems), "\n")
		if says != tt.says {
			t.Errorf("%s: says\n%s\nwant\n%s", tt.src, says, tt.says)
		}
	}
}

const notScalar = "expected a single value, found "

func TestText(t *testing.T) {
	testReader(t, (*document.Node).Text, []reading[string]{
		{"x y", "x y", ""},
		{"1024", "1024", ""},
		{"9007199254740993", "9007199254740993", ""}, // 2^53+1: a float would round it
		{"0x1F", "0x1F", ""},
		{"1.50", "1.50", ""},
		{"true", "true", ""},
		{"2020-01-01", "2020-01-01", ""},
		{"\"\"", "", ""},
		{"\"null\"", "null", ""},
		{"", "", "1:3 « » " + notScalar + "nothing | give it a value or remove the line"},
		{"null", "", "1:4 «n» " + notScalar + "nothing | give it a value or remove the line"},
		{"[x]", "", "1:4 «[» " + notScalar + "a list"},
		{"{b: x}", "", "1:4 «{» " + notScalar + "a mapping"},
		{"{settings.x}", "", "1:4 «{» " + notScalar + "a mapping | a text that begins with a brace needs quotes: \"{settings.x}\""},
	})
}

func TestTexts(t *testing.T) {
	testReader(t, (*document.Node).Texts, []reading[[]string]{
		{"x", []string{"x"}, ""},
		{"[x, 1, true]", []string{"x", "1", "true"}, ""},
		{"[]", nil, ""},
		{"[x, null]", []string{"x", ""}, "1:8 «n» " + notScalar + "nothing"},
		{"[x, [y]]", []string{"x", ""}, "1:8 «[» " + notScalar + "a list"},
		{"{b: x}", []string{""}, "1:4 «{» " + notScalar + "a mapping"},
	})
	var none *document.Node
	if got := none.Texts(); got != nil {
		t.Errorf("of none: %q", got)
	}
}

func TestBool(t *testing.T) {
	testReader(t, (*document.Node).Bool, []reading[bool]{
		{"true", true, ""},
		{"True", true, ""},
		{"FALSE", false, ""},
		{"false", false, ""},
		{"yes", false, "1:4 «yes» expected true or false, found \"yes\""},
		{"on", false, "1:4 «on» expected true or false, found \"on\""},
		{"1", false, "1:4 «1» expected true or false, found \"1\""},
		{"'true'", false, "1:4 «'true'» expected true or false, found \"true\" | write it without quotes"},
		{"[true]", false, "1:4 «[» " + notScalar + "a list"},
	})
}

func TestInt(t *testing.T) {
	of := func(low, high int64) func(*document.Node) int64 {
		return func(n *document.Node) int64 { return n.Int(low, high) }
	}
	testReader(t, of(1, 10), []reading[int64]{
		{"1", 1, ""},
		{"10", 10, ""},
		{"\"7\"", 7, ""},
		{"0", 1, "1:4 «0» expected a whole number from 1 to 10, found \"0\""},
		{"11", 1, "1:4 «11» expected a whole number from 1 to 10, found \"11\""},
		{"-1", 1, "1:4 «-1» expected a whole number from 1 to 10, found \"-1\""},
		{"2.0", 1, "1:4 «2.0» expected a whole number from 1 to 10, found \"2.0\""},
		{"1e1", 1, "1:4 «1e1» expected a whole number from 1 to 10, found \"1e1\""},
		{"0x2", 1, "1:4 «0x2» expected a whole number from 1 to 10, found \"0x2\""},
		{"1_0", 1, "1:4 «1_0» expected a whole number from 1 to 10, found \"1_0\""},
		{"''", 1, "1:4 «''» expected a whole number from 1 to 10, found \"\""},
		{"[1]", 1, "1:4 «[» " + notScalar + "a list"},
	})
	testReader(t, of(0, math.MaxInt64), []reading[int64]{
		{"9223372036854775807", math.MaxInt64, ""},
		{"9223372036854775808", 0, "1:4 «9223372036854775808» expected a whole number of at least 0, found \"9223372036854775808\""},
		{"-1", 0, "1:4 «-1» expected a whole number of at least 0, found \"-1\""},
	})
}

func TestDuration(t *testing.T) {
	const hint = " | for example 250ms, 3s, 5m or 1h"
	testReader(t, (*document.Node).Duration, []reading[time.Duration]{
		{"250ms", 250 * time.Millisecond, ""},
		{"1h30m", 90 * time.Minute, ""},
		{"1.5s", 1500 * time.Millisecond, ""},
		{"0", 0, ""},
		{"0s", 0, ""},
		{"3", 0, "1:4 «3» expected a time span, found \"3\"" + hint},
		{"-1s", 0, "1:4 «-1s» expected a time span, found \"-1s\"" + hint},
		{"1 s", 0, "1:4 «1 s» expected a time span, found \"1 s\"" + hint},
		{"1d", 0, "1:4 «1d» expected a time span, found \"1d\"" + hint},
		{"soon", 0, "1:4 «soon» expected a time span, found \"soon\"" + hint},
		{"9999999h", 0, "1:4 «9999999h» expected a time span, found \"9999999h\"" + hint},
		{"{s: 3}", 0, "1:4 «{» " + notScalar + "a mapping"},
	})
}

func TestBytes(t *testing.T) {
	wrong := func(text string) string {
		return "1:4 «" + text + "» expected a size, found \"" + text + "\" | for example 512KiB, 1MiB or 256MiB"
	}
	testReader(t, (*document.Node).Bytes, []reading[int64]{
		{"0", 0, ""},
		{"1024", 1024, ""},
		{"3B", 3, ""},
		{"512KiB", 512 << 10, ""},
		{"1 MiB", 1 << 20, ""},
		{"8388607GiB", 8388607 << 30, ""},
		{"1KB", 0, wrong("1KB")},
		{"1M", 0, wrong("1M")},
		{"1mib", 0, wrong("1mib")},
		{"1.5MiB", 0, wrong("1.5MiB")},
		{"-1MiB", 0, wrong("-1MiB")},
		{"MiB", 0, wrong("MiB")},
		{"1 M iB", 0, wrong("1 M iB")},
		{"8589934592GiB", 0, wrong("8589934592GiB")}, // 2^63: beyond what can be counted
		{"[1]", 0, "1:4 «[» " + notScalar + "a list"},
	})
}

func TestPercent(t *testing.T) {
	wrong := func(text string) string {
		return "1:4 «" + text + "» expected a share from 0% to 100%, found \"" + text + "\" | for example 10%"
	}
	testReader(t, (*document.Node).Percent, []reading[float64]{
		{"0%", 0, ""},
		{"10%", 0.1, ""},
		{"12.5%", 0.125, ""},
		{"100%", 1, ""},
		{"100.1%", 0, wrong("100.1%")},
		{"-1%", 0, wrong("-1%")},
		{"NaN%", 0, wrong("NaN%")},
		{"Inf%", 0, wrong("Inf%")},
		{"50", 0, wrong("50")},
		{"0.5", 0, wrong("0.5")},
		{"half", 0, wrong("half")},
		{"5 %", 0, wrong("5 %")},
		{"[5%]", 0, "1:4 «[» " + notScalar + "a list"},
	})
}

func TestOneOf(t *testing.T) {
	testReader(t, func(n *document.Node) string { return n.OneOf("seconds", "epoch_s", "epoch_ms") }, []reading[string]{
		{"epoch_s", "epoch_s", ""},
		{"'seconds'", "seconds", ""},
		{"epochs", "", "1:4 «epochs» unknown value \"epochs\" | did you mean \"epoch_s\"?"},
		{"Seconds", "", "1:4 «Seconds» unknown value \"Seconds\" | did you mean \"seconds\"?"},
		{"minutes", "", "1:4 «minutes» unknown value \"minutes\" | known: epoch_ms, epoch_s, seconds"},
		{"[seconds]", "", "1:4 «[» " + notScalar + "a list"},
	})
}

func TestIsText(t *testing.T) {
	for src, want := range map[string]bool{
		"x": true, "\"1\"": true, "'true'": true, "!!str 1": true, "|\n  x": true, "yes": true,
		"1": false, "1.5": false, "true": false, "null": false, "[x]": false, "2020-01-01": false,
	} {
		if n, _ := value(t, "a: "+src+"\n"); n.IsText() != want {
			t.Errorf("%s: got %v", src, !want)
		}
	}
	var none *document.Node
	if none.IsText() {
		t.Error("none is text")
	}
}

// server is what the tests of Decode read.
type server struct {
	Name  string
	Port  int64
	Tags  []string
	Order string // in which the keys were read
}

func serverKeys() []document.Key[server] {
	return []document.Key[server]{
		{Name: "name", About: "what people call it", Required: true, Read: func(s *server, n *document.Node) { s.Name = n.Text(); s.Order += "n" }},
		{Name: "port", About: "where it listens", Read: func(s *server, n *document.Node) { s.Port = n.Int(1, 65535); s.Order += "p" }},
		{Name: "tags", Read: func(s *server, n *document.Node) {
			for _, item := range n.Items() {
				s.Tags = append(s.Tags, item.Text())
			}
			s.Order += "t"
		}},
	}
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name, src string
		want      server
		says      []string
	}{
		{"all", "tags: [a, b]\nport: 80\nname: x\n", server{"x", 80, []string{"a", "b"}, "npt"}, nil},
		{"the least", "name: x\n", server{Name: "x", Order: "n"}, nil},
		{"unknown key", "name: x\nPort: 80\n", server{Name: "x", Order: "n"}, []string{"2:1 «Port» unknown key \"Port\" | did you mean \"port\"?"}},
		{"swapped letters", "name: x\nprot: 80\n", server{Name: "x", Order: "n"}, []string{"2:1 «prot» unknown key \"prot\" | did you mean \"port\"?"}},
		{"nothing near", "name: x\n\"listen on\": 80\n", server{Name: "x", Order: "n"}, []string{"2:1 «\"listen on\"» unknown key \"listen on\" | known: name, port, tags"}},
		{"missing", "port: 80\n", server{Port: 80, Order: "p"}, []string{"1:1 «p» the key \"name\" is missing | what people call it"}},
		{"missing in {}", "{}\n", server{}, []string{"1:1 «{» the key \"name\" is missing | what people call it"}},
		{"left empty", "name: x\nport:\n", server{Name: "x", Order: "n"}, []string{"2:6 «» the key \"port\" is written but has no value | give it a value or remove the line"}},
		{"null", "name: ~\n", server{}, []string{"1:7 «~» the key \"name\" is written but has no value | give it a value or remove the line"}},
		{"a list", "[name]\n", server{}, []string{"1:1 «[» expected a mapping, found a list | its keys are: name, port, tags"}},
		{"a text", "name\n", server{}, []string{"1:1 «name» expected a mapping, found a single value | its keys are: name, port, tags"}},
		{"wrong within", "name: [x]\nport: eighty\ntags: a\n", server{Port: 1, Order: "npt"}, []string{
			"1:7 «[» expected a single value, found a list",
			"2:7 «eighty» expected a whole number from 1 to 65535, found \"eighty\"",
			"3:7 «a» expected a list, found a single value | a list of one is written [a]",
		}},
		{"everything at once", "names: x\nport: 0\ntags:\nfoo: 1\n", server{Port: 1, Order: "p"}, []string{
			"1:1 «names» unknown key \"names\" | did you mean \"name\"?",
			"2:7 «0» expected a whole number from 1 to 65535, found \"0\"",
			"3:6 «» the key \"tags\" is written but has no value | give it a value or remove the line",
			"4:1 «foo» unknown key \"foo\" | known: name, port, tags",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var problems document.Problems
			var got server
			document.Decode(readInto(tt.src, &problems), &got, serverKeys())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.says, briefs(&problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("nothing to read", func(t *testing.T) {
		var got server
		document.Decode(nil, &got, serverKeys())
		if diff := cmp.Diff(server{}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUnknownNameWhereNoneIsKnown(t *testing.T) {
	n, problems := value(t, "a: x\n")
	document.UnknownName(n, "setting", nil)
	if got, want := briefs(problems)[0], "1:4 «x» unknown setting \"x\" | there is none"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
