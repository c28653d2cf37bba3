package main

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReadme plays the transcript of the README against the demo. Ports, times
// and trace ids differ from run to run; everything else must be as it is printed,
// in that order, with "…" for what is left out.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 1200)
	session := regexp.MustCompile("(?s)```console\n\\$ (curl [^\n]*)\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(session) < 4 {
		t.Fatalf("the README has %d commands of curl's, want at least 4", len(session))
	}
	command := regexp.MustCompile(`^curl -s (?:-X (\w+) )?(?:--json '(.*)' )?'?http://[^/]+([^' ]+)'?(?: -d '(.*)')?$`)
	for _, step := range session {
		found := command.FindStringSubmatch(step[1])
		if found == nil {
			t.Errorf("not understood: %s", step[1])
			continue
		}
		method, document, host, header := found[1], found[2], w.Address, []string(nil)
		switch {
		case document != "": // as curl's --json does
			method, header = http.MethodPost, []string{"Content-Type", "application/json", "Accept", "application/json"}
		case method == "":
			method = http.MethodGet
		default:
			host, document = w.upstreams.Control, found[4]
		}
		got := w.ask(method, "http://"+host+found[3], document, header...)
		rest := compact(got.Text)
		for _, printed := range strings.Split(compact(step[2]), "…") {
			_, after, there := strings.Cut(rest, strings.Trim(printed, ","))
			if !there {
				t.Errorf("%s\nthe README has\n%s\nwhich is not, or not there, in\n%s", step[1], printed, rest)
				break
			}
			rest = after
		}
	}
}

// compact is a document without what differs from run to run, and without white
// space between its tokens.
func compact(text string) string {
	text = regexp.MustCompile(`"operationId": ?"[0-9a-f]{32}"`).ReplaceAllString(text, `"operationId":"id"`)
	text = regexp.MustCompile(`"took": ?\d+`).ReplaceAllString(text, `"took":0`)
	var b strings.Builder
	quoted := false
	for _, r := range text {
		if r == '"' {
			quoted = !quoted
		}
		if quoted || !strings.ContainsRune(" \n", r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}
