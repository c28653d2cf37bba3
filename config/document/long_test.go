package document_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"muster/config/document"
)

// Of a long line a message has what stands around the mistake.
func TestLongLines(t *testing.T) {
	pad := strings.Repeat("é", 500)
	for _, test := range []struct{ name, src, line, under string }{
		{"short", "{a: 1, a: 2}", "{a: 1, a: 2}", "a"},
		{"at the start", "{a: 1, a: 2, b: " + pad + "}", "{a: 1, a: 2, b: " + strings.Repeat("é", 384) + "…", "a"},
		{"in the middle", "{a: 1, b: " + pad + ", a: 2, c: " + pad + "}", "…" + strings.Repeat("é", 118) + ", a: 2, c: " + strings.Repeat("é", 271) + "…", "a"},
		{"at the end", "{a: 1, b: " + pad + ", a: 2}", "…" + strings.Repeat("é", 393) + ", a: 2}", "a"},
		{"something secret ahead", "{a: 1, s: &x C4n4ry, b: " + pad + ", a: 2}", "…" + strings.Repeat("é", 393) + ", a: 2}", "a"},
		{"something secret within", "{a: 1, b: " + pad + ", s: C4n4ry, a: 2}", "…" + strings.Repeat("é", 382) + ", s: ******, a: 2}", "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var problems document.Problems
			n := document.Read("d.yaml", []byte(test.src), &problems)
			n.Field("s").Conceal()
			all := problems.All()
			if len(all) != 1 || all[0].Source != test.line {
				t.Fatalf("%d problems, and the line is %q, want %q", len(all), all[0].Source, test.line)
			}
			lines := strings.Split(all[0].String(), "\n")
			shown, caret := []rune(lines[1]), []rune(lines[2])
			if at := len(caret) - 1; caret[at] != '^' || string(shown[at]) != test.under {
				t.Errorf("under the caret is %q:\n%s", string(shown[at]), all[0])
			}
		})
	}
}

// A file in one line may be all mistakes: to tell them costs what they are many.
func TestManyMistakesInOneLine(t *testing.T) {
	var src strings.Builder
	src.WriteString("{a: 1")
	for range 20_000 {
		src.WriteString(", a: 1")
	}
	src.WriteString("}")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	var problems document.Problems
	document.Read("d.yaml", []byte(src.String()), &problems)
	told := fmt.Sprint(problems.Err())
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if problems.Len() != 20_000 || len(told) > 40<<20 {
		t.Errorf("%d mistakes in %d MiB", problems.Len(), len(told)>>20)
	}
	if took > 30*time.Second { // 0.3 s on a machine with nothing else to do
		t.Errorf("it took %v", took)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 800<<20 {
		t.Errorf("it took %d MiB", grown>>20)
	}
	t.Logf("%v, %d MiB, told in %d MiB", took, (after.TotalAlloc-before.TotalAlloc)>>20, len(told)>>20)
}
