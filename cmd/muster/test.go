package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"muster/adapters"
	"muster/config"
	"muster/config/document"
)

func testCommand() *cobra.Command {
	var run string
	var verbose, update bool
	cmd := &cobra.Command{
		Use:   "test [FILE|DIR…]",
		Short: "Run the inline tests of definitions",
		Long: "Run the inline tests of definitions, and of those that a gateway's file uses. Of a folder, which\n" +
			"is this one when none is named, all that it and the folders in it have. Where a test fails, each\n" +
			"place is told at which something else came out than it states.\n\n" +
			"--update writes what came out under `expect` of the tests that fail or have yet to say it, and\n" +
			"under `request` where that stands, and prints what that changes: read it before you keep it.\n" +
			"Nothing else in a file changes, and a definition that has mistakes is left as it is.\n\n" +
			"The exit code is 0 when all is well, 1 when something is wrong, 2 when a file cannot be read\n" +
			"or no test is found.",
		Example: "  muster test providers\n" +
			"  muster test --run 'badges/.*404' -v\n" +
			"  muster test --update providers/badges.yaml",
		RunE: func(cmd *cobra.Command, paths []string) error {
			wanted, err := regexp.Compile(run)
			if err != nil {
				return fmt.Errorf("--run: %w", err)
			}
			t := testTeller{
				out: cmd.OutOrStdout(), problems: cmd.ErrOrStderr(), verbose: verbose, paint: painter(colours(cmd.OutOrStdout())),
				wanted: func(r adapters.TestResult) bool { return wanted.MatchString(r.Provider + "/" + r.Name) },
			}
			begun := time.Now()
			if update {
				t.tellUpdates(config.Update(cmd.Context(), orHere(paths), t.wanted))
			}
			t.tell(config.Check(cmd.Context(), orHere(paths), false), begun)
			return t.result()
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "only tests whose PROVIDER/NAME the regular expression matches")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "list the tests that pass as well")
	cmd.Flags().BoolVar(&update, "update", false, "write what came out into the tests")
	return cmd
}

// testTeller tells how the tests went, and remembers the worst.
type testTeller struct {
	out, problems io.Writer
	verbose       bool
	paint         painter
	wanted        func(adapters.TestResult) bool
	code          int
	told          []string // mistakes
}

func (t *testTeller) tellUpdates(all []config.Updated) {
	for _, u := range all {
		switch {
		case u.Err != nil:
			t.code = exitUnreadable
			_, _ = fmt.Fprintln(t.problems, u.Err)
		case u.Problems != nil:
			for _, p := range u.Problems {
				t.tellProblem(p)
			}
			_, _ = fmt.Fprintf(t.problems, "%s: not updated: correct the mistakes first\n", u.File)
		}
		for i := range u.Tests {
			t.tellTest(yellow, "updated", &u.Tests[i])
		}
	}
}

func (t *testTeller) tell(reports []config.Report, begun time.Time) {
	passed, failed := 0, 0
	for i := range reports {
		r := &reports[i]
		if r.Err != nil {
			t.code = exitUnreadable
			_, _ = fmt.Fprintln(t.problems, r.Err)
			continue
		}
		for _, p := range r.Problems {
			if p.Rule != adapters.RuleTest {
				t.tellProblem(p)
			}
		}
		for i := range r.Tests {
			switch test := &r.Tests[i]; {
			case !t.wanted(*test):
			case test.Passed():
				if passed++; t.verbose {
					t.tellTest(green, "ok", test)
				}
			default:
				failed++
				t.code = max(t.code, exitWrong)
				t.tellTest(red, "FAILED", test)
			}
		}
	}
	took := time.Since(begun).Round(100 * time.Microsecond)
	switch {
	case failed > 0:
		_, _ = fmt.Fprintf(t.out, "%s in %v: %d passed, %s\n", count(passed+failed, "test"), took, passed, t.paint.in(red, fmt.Sprintf("%d failed", failed)))
	case passed > 0:
		_, _ = fmt.Fprintf(t.out, "%s in %v: %s\n", count(passed, "test"), took, t.paint.in(green, "all passed"))
	case t.code == 0:
		t.code = exitUnreadable
		_, _ = fmt.Fprintln(t.problems, "no inline test was found")
	}
}

// tellProblem tells of a mistake once.
func (t *testTeller) tellProblem(p *document.Problem) {
	t.code = max(t.code, exitWrong)
	if text := p.String(); !slices.Contains(t.told, text) {
		t.told = append(t.told, text)
		_, _ = fmt.Fprint(t.problems, text)
	}
}

// tellTest tells of one test, and of what differs a block for each place.
func (t *testTeller) tellTest(colour, how string, r *adapters.TestResult) {
	_, _ = fmt.Fprintf(t.out, "%s  %s/%s  %s\n", t.paint.in(colour, how), r.Provider, r.Name, t.paint.in(dim, r.Position))
	for _, d := range r.Differences {
		want, got := around(d.Want, d.Got)
		_, _ = fmt.Fprintf(t.out, "    %s\n      %s\n      %s\n", d.Path, t.paint.in(red, "expected  "+want), t.paint.in(green, "got       "+got))
	}
	if r.Why != "" {
		_, _ = fmt.Fprintf(t.out, "    it failed as %s\n", r.Why)
	}
}

func (t *testTeller) result() error {
	if t.code == 0 {
		return nil
	}
	return exitError(t.code)
}

// A long value is shown from a little before the first character that differs.
const (
	shownWidth  = 160
	shownBefore = 40
)

func around(want, got string) (string, string) {
	if utf8.RuneCountInString(want) <= shownWidth && utf8.RuneCountInString(got) <= shownWidth {
		return want, got
	}
	a, b := []rune(want), []rune(got)
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	from := max(0, same-shownBefore)
	return window(a, from), window(b, from)
}

func window(text []rune, from int) string {
	before, after := "", ""
	if from > 0 {
		before = "…"
	}
	text = text[min(from, len(text)):]
	if len(text) > shownWidth {
		text, after = text[:shownWidth], fmt.Sprintf("… (%d characters more)", len(text)-shownWidth)
	}
	return before + string(text) + after
}
