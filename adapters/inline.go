package adapters

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/config/document"
	"muster/normalize"
)

// inlineTest is one entry under `tests`: what is known, what must be sent, what
// comes back, and what must be made of it.
type inlineTest struct {
	node    *document.Node
	name    string
	query   Query
	with    Settings
	now     time.Time
	request string
	reply   *inlineReply
	expect  inlineExpect
}

type inlineReply struct {
	status  int
	headers http.Header
	body    []byte
}

// inlineExpect is what a test states. Members that are nil are expected to be
// absent, but for err and retryAfter, which a test may leave unsaid: they are
// for the log.
type inlineExpect struct {
	outcome    string
	kind       string
	ids        any
	profile    any
	err        any
	warnings   any
	retryAfter any
}

func readInlineTest(n *document.Node) inlineTest {
	t := inlineTest{node: n, query: Query{IDs: map[string]string{}, Tenant: map[string]string{}}, with: Settings{}}
	document.Decode(n, &t, inlineTestKeys())
	return t
}

func inlineTestKeys() []document.Key[inlineTest] {
	return []document.Key[inlineTest]{
		{Name: "name", About: "what the test shows", Required: true, Read: func(t *inlineTest, n *document.Node) { t.name = n.Text() }},
		{Name: "with", About: "what is known: id, tenant, settings", Read: func(t *inlineTest, n *document.Node) {
			document.Decode(n, t, []document.Key[inlineTest]{
				{Name: "id", About: "identifiers", Read: func(t *inlineTest, n *document.Node) { readTexts(n, func(k, v string) { t.query.IDs[k] = v }) }},
				{Name: "tenant", About: "the tenant's values", Read: func(t *inlineTest, n *document.Node) { readTexts(n, func(k, v string) { t.query.Tenant[k] = v }) }},
				{Name: "settings", About: "the deployment's values", Read: func(t *inlineTest, n *document.Node) { readTexts(n, func(k, v string) { t.with[k] = NewSecret(v) }) }},
			})
		}},
		{Name: "now", About: "the time of the test, RFC 3339", Read: func(t *inlineTest, n *document.Node) {
			at, err := time.Parse(time.RFC3339, n.Text())
			if err != nil {
				n.Errorf("not an RFC 3339 time: %q", n.Text()).Suggest("for example 2026-01-02T15:04:05Z")
			}
			t.now = at
		}},
		{Name: "request", About: "METHOD URL that must be sent; may end in *", Read: func(t *inlineTest, n *document.Node) { t.request = n.Text() }},
		{Name: "reply", About: "what comes back; without it nothing may be sent", Read: func(t *inlineTest, n *document.Node) {
			t.reply = &inlineReply{status: http.StatusOK}
			document.Decode(n, t.reply, inlineReplyKeys())
			if bodies := n.Only("json", "text", "file"); n.Kind() == document.Mapping && len(bodies.Fields()) > 1 {
				bodies.Fields()[1].Key.Errorf("a reply has one body: json, text or file").Suggest("remove one of them")
			}
		}},
		{Name: "expect", About: "what must be made of it", Required: true, Read: func(t *inlineTest, n *document.Node) { document.Decode(n, &t.expect, inlineExpectKeys()) }},
	}
}

func readTexts(n *document.Node, set func(key, value string)) {
	for _, f := range n.Fields() {
		set(f.Key.Text(), f.Value.Text())
	}
}

func readHeaders(n *document.Node) http.Header {
	headers := http.Header{}
	for _, f := range n.Fields() {
		for _, value := range f.Value.OneOrMore() {
			headers.Add(f.Key.Text(), value.Text())
		}
	}
	return headers
}

func inlineReplyKeys() []document.Key[inlineReply] {
	return []document.Key[inlineReply]{
		{Name: "http", About: "status, 200 when not said", Read: func(r *inlineReply, n *document.Node) { r.status = int(n.Int(100, 599)) }},
		{Name: "headers", About: "headers of the reply; one that stands several times has a list", Read: func(r *inlineReply, n *document.Node) { r.headers = readHeaders(n) }},
		{Name: "json", About: "the body, as YAML", Read: func(r *inlineReply, n *document.Node) {
			body, err := n.JSON()
			if err != nil {
				n.Errorf("the body cannot be written as JSON: %v", err)
			}
			r.body = body
		}},
		{Name: "text", About: "the body, word for word", Read: func(r *inlineReply, n *document.Node) { r.body = []byte(n.Text()) }},
		{Name: "file", About: "a file with the body, relative to this one", Read: func(r *inlineReply, n *document.Node) {
			body, err := os.ReadFile(beside(n))
			if err != nil {
				n.Errorf("the file %q cannot be read", n.Text())
			}
			r.body = body
		}},
	}
}

func inlineExpectKeys() []document.Key[inlineExpect] {
	tree := func(set func(*inlineExpect, any)) func(*inlineExpect, *document.Node) {
		return func(e *inlineExpect, n *document.Node) {
			text, err := n.JSON()
			if err != nil {
				n.Errorf("this cannot be written as JSON: %v", err)
				return
			}
			value, err := normalize.ParseJSON(text)
			if err != nil {
				n.Errorf("this cannot be written as JSON: %v", err)
			}
			set(e, value)
		}
	}
	return []document.Key[inlineExpect]{
		{Name: "outcome", About: "ok, partial, absent or failed", Required: true, Read: func(e *inlineExpect, n *document.Node) {
			e.outcome = n.OneOf("ok", "partial", "absent", "failed")
		}},
		{Name: "kind", About: "the kind of failure", Read: func(e *inlineExpect, n *document.Node) {
			if _, ok := ParseKind(n.Text()); !ok {
				n.Errorf("unknown kind %q", n.Text())
			}
			e.kind = n.Text()
		}},
		{Name: "ids", About: "identifiers yielded", Read: tree(func(e *inlineExpect, v any) { e.ids = v })},
		{Name: "profile", About: "the source's part of the profile", Read: tree(func(e *inlineExpect, v any) { e.profile = v })},
		{Name: "error", About: "what the upstream said of its failure", Read: tree(func(e *inlineExpect, v any) { e.err = v })},
		{Name: "warnings", About: "the upstream's own partial failures", Read: tree(func(e *inlineExpect, v any) { e.warnings = v })},
		{Name: "retry_after", About: "seconds until it may be asked again", Read: tree(func(e *inlineExpect, v any) { e.retryAfter = v })},
	}
}

// TestResult is what came of one inline test.
type TestResult struct {
	Name     string
	Position string   // file:line:column
	Failures []string // one line per difference; none when it passed
}

// RunTests plays the definition's own tests through the engine, with the
// network replaced by the reply that each test states.
func (d *Definition) RunTests(ctx context.Context) []TestResult {
	results := make([]TestResult, 0, len(d.tests))
	for i := range d.tests {
		t := &d.tests[i]
		results = append(results, TestResult{Name: t.name, Position: t.node.Position(), Failures: d.runTest(ctx, t)})
	}
	return results
}

func (d *Definition) runTest(ctx context.Context, t *inlineTest) []string {
	wire := &inlineWire{reply: t.reply}
	source := d.Bind(d.Name, d.testSettings(t), DefaultLimits(), nil, wire)
	source.credential.auth = auth{} // credentials are no part of what a test states
	if !t.now.IsZero() {
		source.now = func() time.Time { return t.now }
	}
	reply, err := source.Fetch(ctx, t.query)

	var failures []string
	switch {
	case wire.sent == "" && t.reply != nil:
		failures = append(failures, "nothing was sent, though the test has a reply")
	case wire.sent != "" && t.reply == nil:
		failures = append(failures, "sent "+wire.sent+", though the test has no reply")
	case wire.sent != "" && t.request != "" && !sameRequest(t.request, wire.sent):
		failures = append(failures, "request: expected "+t.request+", sent "+wire.sent)
	}
	for _, note := range reply.Notes { // at run time a note, here a mistake: a sample is what the document says
		failures = append(failures, "does not fit: "+note)
	}
	got := renderReply(reply, err, t.now)
	want := t.expect.tree()
	if want["error"] == nil {
		delete(got, "error")
	}
	if want["retry_after"] == nil {
		delete(got, "retry_after")
	}
	return append(failures, difference("", want, got)...)
}

// testSettings are those that a test states; a secret reads as <secret>.
func (d *Definition) testSettings(t *inlineTest) Settings {
	filled := maps.Clone(t.with)
	for _, s := range d.settings {
		if _, stated := filled[s.Name]; !stated && s.Format == "secret" {
			filled[s.Name] = NewSecret(masked)
		}
	}
	return filled
}

func sameRequest(want, sent string) bool {
	if prefix, open := strings.CutSuffix(want, "*"); open {
		return strings.HasPrefix(sent, prefix)
	}
	return want == sent
}

// inlineWire stands for the network in an inline test.
type inlineWire struct {
	reply *inlineReply
	sent  string
}

var errNothingMayBeSent = errors.New("the test states no reply")

func (w *inlineWire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.sent = r.Method + " " + r.URL.String()
	if w.reply == nil {
		return nil, errNothingMayBeSent
	}
	return &http.Response{StatusCode: w.reply.status, Header: w.reply.headers.Clone(), Body: io.NopCloser(bytes.NewReader(w.reply.body)), Request: r}, nil
}

func (e *inlineExpect) tree() map[string]any {
	tree := map[string]any{"outcome": e.outcome}
	set := func(key string, v any) {
		if !normalize.Absent(v) {
			tree[key] = v
		}
	}
	if e.outcome != "absent" { // whose kind goes without saying
		set("kind", e.kind)
	}
	set("ids", e.ids)
	set("profile", e.profile)
	set("error", e.err)
	set("warnings", e.warnings)
	set("retry_after", e.retryAfter)
	return tree
}

// renderReply is a reply in the form that `expect` has.
func renderReply(reply Reply, err error, now time.Time) map[string]any {
	tree := map[string]any{"outcome": "ok"}
	if fault := FaultOf(err); fault != nil {
		tree["outcome"] = "failed"
		tree["kind"] = fault.Kind.String()
		if fault.Kind == NotFound {
			tree["outcome"] = "absent"
			delete(tree, "kind")
		}
		if said := renderDetail(fault.Detail, false); len(said) > 0 {
			tree["error"] = said
		}
		if fault.RetryAfter > 0 {
			tree["retry_after"] = normalize.Number(strconv.Itoa(int(math.Ceil(fault.RetryAfter.Seconds()))))
		}
		return tree
	}
	ids := map[string]any{}
	for _, id := range reply.Record.IDs {
		ids[id.Kind] = id.Value
	}
	if len(ids) > 0 {
		tree["ids"] = ids
	}
	if profile := renderProfile(reply.Record, now); len(profile) > 0 {
		tree["profile"] = profile
	}
	if len(reply.Children) > 0 {
		tree["outcome"] = "partial"
		var warnings []any
		for _, child := range reply.Children {
			said := renderDetail(child.Detail, true)
			said["kind"] = child.Kind.String()
			warnings = append(warnings, said)
		}
		tree["warnings"] = warnings
	}
	return tree
}

func renderProfile(record normalize.Record, now time.Time) map[string]any {
	profile := record.Profile
	if !now.IsZero() {
		profile.Roles = slices.Clone(profile.Roles)
		profile.Expire(now)
	}
	tree, _ := asTree(profile).(map[string]any)
	if len(record.Attributes) > 0 {
		tree["attributes"] = asTree(record.Attributes)
	}
	return tree
}

// asTree is a Go value in the forms of normalize.ParseJSON.
func asTree(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	tree, err := normalize.ParseJSON(text)
	if err != nil {
		return nil
	}
	return tree
}

func renderDetail(d Detail, child bool) map[string]any {
	said := map[string]any{}
	for key, text := range map[string]string{"code": d.Code, "message": d.Message, "ref": d.Ref, "hint": d.Hint, "subject": d.Subject} {
		if text != "" {
			said[key] = text
		}
	}
	if len(d.Details) > 0 {
		said["details"] = asTree(d.Details)
	}
	if child && d.Status != 0 {
		said["status"] = normalize.Number(strconv.Itoa(d.Status))
	}
	return said
}

// difference lists where two trees differ, a line for each place.
func difference(path string, want, got any) []string {
	wantMap, isMap := want.(map[string]any)
	gotMap, alsoMap := got.(map[string]any)
	if isMap && alsoMap {
		var lines []string
		keys := slices.Sorted(maps.Keys(wantMap))
		for key := range gotMap {
			if _, both := wantMap[key]; !both {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			lines = append(lines, difference(strings.TrimPrefix(path+"."+key, "."), wantMap[key], gotMap[key])...)
		}
		return lines
	}
	wantList, isList := want.([]any)
	gotList, alsoList := got.([]any)
	if isList && alsoList && len(wantList) == len(gotList) {
		var lines []string
		for i := range wantList {
			lines = append(lines, difference(fmt.Sprintf("%s[%d]", path, i), wantList[i], gotList[i])...)
		}
		return lines
	}
	if w, g := show(want), show(got); w != g {
		return []string{path + ": expected " + w + ", got " + g}
	}
	return nil
}

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case normalize.Number:
		return string(v)
	case map[string]any, []any:
		return showContainer(v)
	default:
		text, _ := json.Marshal(v)
		return string(text)
	}
}

func showContainer(v any) string {
	var parts []string
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+": "+show(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		for _, item := range v {
			parts = append(parts, show(item))
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
