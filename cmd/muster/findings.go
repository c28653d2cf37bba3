package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"muster/adapters"
	"muster/config"
	"muster/config/document"
)

// findings is the one document of `muster check --format json`.
type findings struct {
	Files    []checkedFile `json:"files"`
	Findings []finding     `json:"findings"`
	Tests    []testedTest  `json:"tests"`
}

type checkedFile struct {
	File  string   `json:"file"`
	Kind  string   `json:"kind,omitempty"` // gateway or provider
	OK    bool     `json:"ok"`
	Notes []string `json:"notes,omitempty"`
}

// finding is one mistake or warning. Lines and columns count from 1, columns in
// characters; the end column is the one behind the last. What concerns a file as a
// whole has none of them.
type finding struct {
	Severity  string   `json:"severity"` // error or warning
	Rule      string   `json:"rule"`
	File      string   `json:"file"`
	Line      int      `json:"line,omitempty"`
	Column    int      `json:"column,omitempty"`
	EndColumn int      `json:"endColumn,omitempty"`
	Message   string   `json:"message"`
	Details   []string `json:"details,omitempty"` // of a test: what differs
	Hint      string   `json:"hint,omitempty"`
}

type testedTest struct {
	Provider    string           `json:"provider"`
	Name        string           `json:"name"`
	File        string           `json:"file"`
	Line        int              `json:"line"`
	Column      int              `json:"column"`
	Passed      bool             `json:"passed"`
	Differences []testDifference `json:"differences,omitempty"`
}

type testDifference struct {
	Path     string `json:"path"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
}

// The rules of what has no rule of its own.
const (
	ruleInvalid    = "invalid"    // a mistake in a file
	ruleUnreadable = "unreadable" // a file that cannot be read, or a folder with nothing to check
)

func findingOf(p *document.Problem) finding {
	f := finding{
		Severity: "error", Rule: cmp.Or(p.Rule, ruleInvalid), File: p.File, Line: p.Line, Column: p.Column, EndColumn: p.Column + p.Width,
		Message: p.Message, Details: p.Details, Hint: p.Hint,
	}
	if p.Warning {
		f.Severity = "warning"
	}
	return f
}

// allFindings are the findings of a file in their order.
func allFindings(r *config.Report) []finding {
	if r.Err != nil {
		return []finding{{Severity: "error", Rule: ruleUnreadable, File: r.File, Message: r.Err.Error()}}
	}
	all := make([]finding, len(r.Problems))
	for i, p := range r.Problems {
		all[i] = findingOf(p)
	}
	return all
}

func tellJSON(out io.Writer, reports []config.Report) error {
	told := findings{Files: []checkedFile{}, Findings: []finding{}, Tests: []testedTest{}}
	for i := range reports {
		r := &reports[i]
		told.Files = append(told.Files, checkedFile{File: r.File, Kind: r.Kind, OK: r.Err == nil && !r.Wrong, Notes: r.Notes})
		told.Findings = append(told.Findings, allFindings(r)...)
		for i := range r.Tests {
			told.Tests = append(told.Tests, testedOf(&r.Tests[i]))
		}
	}
	return writeJSON(out, told)
}

func testedOf(r *adapters.TestResult) testedTest {
	t := testedTest{Provider: r.Provider, Name: r.Name, Passed: r.Passed()}
	t.File, t.Line, t.Column = r.Where()
	for _, d := range r.Differences {
		t.Differences = append(t.Differences, testDifference{d.Path, d.Want, d.Got})
	}
	return t
}

// tellGitHub writes the commands by which GitHub Actions marks lines of a change.
func tellGitHub(out io.Writer, reports []config.Report) {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for i := range reports {
		for _, f := range allFindings(&reports[i]) {
			place := "file=" + property.Replace(f.File)
			if f.Line > 0 {
				place += fmt.Sprintf(",line=%d,col=%d,endColumn=%d", f.Line, f.Column, f.EndColumn)
			}
			text := strings.Join(append([]string{f.Message}, f.Details...), "\n")
			if f.Hint != "" {
				text += "\nhint: " + f.Hint
			}
			_, _ = fmt.Fprintf(out, "::%s %s,title=%s::%s\n", f.Severity, place, property.Replace("muster check: "+f.Rule), data.Replace(text))
		}
	}
}
