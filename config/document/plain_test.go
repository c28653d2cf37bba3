package document_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/config/document"
)

func TestPlain(t *testing.T) {
	var problems document.Problems
	p := document.ReadPlain("f.csv", []byte("\ufefftenant,email\r\nü,b\r\n"), &problems)
	if got, want := p.Text(), "tenant,email\r\nü,b\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.Errorf(1, 8, 5, "a word")
	p.Errorf(2, 4, 1, "behind two bytes") // ü is one character
	p.Errorf(2, 99, 9, "beyond the line")
	p.Errorf(9, 1, 1, "beyond the file")
	p.Errorf(0, 0, 0, "before it")
	want := []string{
		"1:1 «t» before it",
		"1:8 «email» a word",
		"2:3 «b» behind two bytes",
		"2:4 «» beyond the line",
		"3:1 «» beyond the file",
	}
	if diff := cmp.Diff(want, briefs(&problems)); diff != "" {
		t.Error(diff)
	}
}

func TestPlainIsText(t *testing.T) {
	var problems document.Problems
	if document.ReadPlain("f.csv", []byte("tenant\nJ\xfcrgen\n"), &problems) != nil {
		t.Error("it is read")
	}
	if diff := cmp.Diff([]string{"2:2 «\ufffd» the file is not UTF-8 text"}, briefs(&problems)); diff != "" {
		t.Error(diff)
	}
}
