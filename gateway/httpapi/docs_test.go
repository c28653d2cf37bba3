package httpapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"muster/adapters"
	"muster/gateway/httpapi"
)

// elementsOf are the page's elements in order.
func elementsOf(t *testing.T, page string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// TestPageLoadsNothing: no other origin is asked, and nothing runs but the one
// script and the one style whose hashes the policy has.
func TestPageLoadsNothing(t *testing.T) {
	t.Parallel()
	w := do(t, newDoor(&engine{}, httpapi.Options{}), http.MethodGet, "/docs")
	page := w.Body.String()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("status %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	if strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Error("the page names another origin")
	}
	var texts []string
	for _, n := range elementsOf(t, page) {
		switch n.Data {
		case "script", "style":
			sum := sha256.Sum256([]byte(textOf(n)))
			texts = append(texts, n.Data+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		case "link":
			if attr(n, "href") != "data:," {
				t.Errorf("link to %q", attr(n, "href"))
			}
		case "img", "iframe", "object", "embed", "audio", "video", "base":
			t.Errorf("an element %s", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "style" || a.Key == "src" || a.Key == "srcset" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("%s has %s=%q", n.Data, a.Key, a.Val)
			}
			if a.Key == "href" && (strings.Contains(a.Val, ":") && a.Val != "data:," || strings.HasPrefix(a.Val, "/")) {
				t.Errorf("%s leads to %q", n.Data, a.Val)
			}
		}
	}
	slices.Sort(texts)
	want := "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; img-src data:; " + strings.Join(texts, "; ")
	if got := w.Header().Get("Content-Security-Policy"); len(texts) != 2 || got != want {
		t.Errorf("Content-Security-Policy\n%s\nwant\n%s", got, want)
	}
	if w.Header().Get("Referrer-Policy") != "no-referrer" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", w.Header())
	}
}

// TestPageIsWhole: all that the contract and the table of kinds say is on it,
// every link within it leads somewhere, and every field has a label.
func TestPageIsWhole(t *testing.T) {
	t.Parallel()
	h := newDoor(&engine{}, httpapi.Options{})
	page := do(t, h, http.MethodGet, "/docs").Body.String()
	ids := map[string]bool{}
	var links []string
	shown := map[string]bool{} // what stands in cells, terms and headings
	for _, n := range elementsOf(t, page) {
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("two elements are called %s", id)
			}
			ids[id] = true
		}
		if link, is := strings.CutPrefix(attr(n, "href"), "#"); is && n.Data == "a" {
			links = append(links, link)
		}
		switch n.Data {
		case "code", "span", "h3", "th", "td":
			shown[strings.Join(strings.Fields(textOf(n)), " ")] = true
		case "input":
			if n.Parent.Data != "label" {
				t.Errorf("the field %s has no label", attr(n, "name"))
			}
		}
	}
	for _, link := range links {
		if !ids[link] {
			t.Errorf("a link leads to #%s, which is not there", link)
		}
	}
	document := contract(t, h)
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			if !shown[method+" "+path] {
				t.Errorf("%s %s is not shown", method, path)
			}
			for _, p := range operation.Parameters {
				if !shown[p.Value.Name] {
					t.Errorf("the parameter %s is not shown", p.Value.Name)
				}
			}
		}
	}
	for name := range document.Components.Headers {
		if !shown[name] {
			t.Errorf("the header %s is not shown", name)
		}
	}
	for _, kind := range adapters.Kinds() {
		if !shown[kind.String()] || !shown[kind.Traits().Resolution] {
			t.Errorf("the kind %s is not shown", kind)
		}
	}
	for _, name := range []string{"Outcome", "From"} {
		for _, value := range document.Components.Schemas[name].Value.Enum {
			if !shown[value.(string)] {
				t.Errorf("%s %s is not shown", name, value)
			}
		}
	}
	for member := range document.Components.Schemas["Profile"].Value.Properties {
		if !shown[member] {
			t.Errorf("the member %s is not shown", member)
		}
	}
}

// TestPageInABrowser: the policy lets the page's own script run, and ask the
// gateway. It needs Chromium.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIPPED: chromium is not installed, so nobody has seen the page in a browser")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server := httptest.NewServer(newDoor(&engine{}, httpapi.Options{}))
	defer server.Close()
	dom, err := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--user-data-dir="+t.TempDir(), "--virtual-time-budget=5000", "--dump-dom", server.URL+"/docs").Output()
	if err != nil {
		t.Fatal(err)
	}
	var coloured, request, suggested bool
	for _, n := range elementsOf(t, string(dom)) {
		coloured = coloured || n.Data == "span" && attr(n, "class") == "k"
		request = request || attr(n, "id") == "request" && strings.HasPrefix(textOf(n), "GET /v1/tenants/acme/users/")
		suggested = suggested || attr(n, "name") == "sources" && attr(n, "placeholder") == "directory,badges"
	}
	if !coloured || !request || !suggested {
		t.Errorf("examples coloured %v, request shown %v, sources fetched %v", coloured, request, suggested)
	}
}
