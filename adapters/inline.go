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
	"net/url"
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
	body    any // nil when the test does not say
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

// inlineTestType is how an inline test is written.
func inlineTestType() document.Type[inlineTest] {
	typ := document.Object(inlineTestKeys)
	return document.Type[inlineTest]{Form: typ.Called("test", "what is known, what must be sent, what comes back and what must be made of it"), Read: func(into *inlineTest, n *document.Node) {
		*into = inlineTest{node: n, query: Query{IDs: map[string]string{}, Tenant: map[string]string{}}, with: Settings{}}
		typ.Read(into, n)
		for _, key := range []string{"request", "body"} {
			if sent := n.Field(key); sent != nil && n.Field("reply") == nil {
				sent.Key().Errorf("a test without a `reply` says that nothing is sent, and so has no `%s`", key).Suggest("state the reply, or remove the line")
			}
		}
	}}
}

func inlineTestKeys() []document.Key[inlineTest] {
	return []document.Key[inlineTest]{
		document.Of("name", "what the test shows", document.Text(), func(t *inlineTest) *string { return &t.name }).Must(),
		document.Of("with", "what is known", document.Object(inlineWithKeys), func(t *inlineTest) *inlineTest { return t }),
		document.Of("now", "the time of the test, RFC 3339", instant(), func(t *inlineTest) *time.Time { return &t.now }),
		document.Of("request", "METHOD URL that must be sent; may end in *", document.Text(), func(t *inlineTest) *string { return &t.request }),
		document.Of("body", "the JSON that must be sent, or the parameters of a form; need not be stated", tree(), func(t *inlineTest) *any { return &t.body }),
		document.Of("reply", "what comes back; without it nothing may be sent", document.Pointer(inlineReplyType()), func(t *inlineTest) **inlineReply { return &t.reply }),
		document.Of("expect", "what must be made of it; all of it is compared", document.Object(inlineExpectKeys), func(t *inlineTest) *inlineExpect { return &t.expect }).Must(),
	}
}

func inlineWithKeys() []document.Key[inlineTest] {
	return []document.Key[inlineTest]{
		document.Of("id", "identifiers, by kind", texts(), func(t *inlineTest) *map[string]string { return &t.query.IDs }),
		document.Of("tenant", "the tenant's values", texts(), func(t *inlineTest) *map[string]string { return &t.query.Tenant }),
		document.Of("caller", "who asks; without it nobody does", testCaller(), func(t *inlineTest) **Caller { return &t.query.Caller }),
		{Name: "settings", About: "the deployment's values; a secret reads as <secret>", Form: texts().Form, Read: func(t *inlineTest, n *document.Node) {
			for _, f := range n.Fields() {
				t.with[f.Key.Text()] = NewSecret(f.Value.Text())
			}
		}},
	}
}

// manyHeaders are headers of a reply: one that stands several times has a list.
func manyHeaders() document.Type[http.Header] {
	return document.Type[http.Header]{Form: document.NamesOf(document.OneOrMoreOf(document.AnyValue("text"))), Read: func(into *http.Header, n *document.Node) {
		*into = http.Header{}
		for _, f := range n.Fields() {
			for _, value := range f.Value.OneOrMore() {
				into.Add(f.Key.Text(), value.Text())
			}
		}
	}}
}

// testCaller is `caller: {audiences}`. Who it is and what the token looks like is
// nothing that a request could show.
func testCaller() document.Type[*Caller] {
	typ := document.Object(func() []document.Key[Caller] {
		return []document.Key[Caller]{
			document.Of("audiences", "the aud of the caller's token", document.Texts(), func(c *Caller) *[]string { return &c.Audiences }),
		}
	})
	return document.Type[*Caller]{Form: typ.Form, Read: func(into **Caller, n *document.Node) {
		*into = &Caller{Issuer: masked, Subject: masked, Token: NewSecret(masked)}
		typ.Read(*into, n)
	}}
}

// texts are texts under names of the author's own.
func texts() document.Type[map[string]string] {
	return document.Type[map[string]string]{Form: document.NamesOf(document.AnyValue("text")), Read: func(into *map[string]string, n *document.Node) {
		*into = map[string]string{}
		for _, f := range n.Fields() {
			(*into)[f.Key.Text()] = f.Value.Text()
		}
	}}
}

func instant() document.Type[time.Time] {
	form := document.AnyValue("an instant, RFC 3339").Like("2026-01-02T15:04:05Z")
	return document.Type[time.Time]{Form: form, Read: func(into *time.Time, n *document.Node) {
		at, err := time.Parse(time.RFC3339, n.Text())
		if err != nil {
			n.Errorf("not an RFC 3339 time: %q", n.Text()).Suggest("for example %s", form.Example)
		}
		*into = at
	}}
}

func inlineReplyType() document.Type[inlineReply] {
	return document.Object(inlineReplyKeys).With(func(_ inlineReply, n *document.Node) {
		if bodies := n.Only("json", "text", "file"); n.Kind() == document.Mapping && len(bodies.Fields()) > 1 {
			bodies.Fields()[1].Key.Errorf("a reply has one body: json, text or file").Suggest("remove one of them")
		}
	})
}

func inlineReplyKeys() []document.Key[inlineReply] {
	anything := document.Form{About: "whatever JSON holds"}
	return []document.Key[inlineReply]{
		document.Of("http", "its status", document.Whole(100, 599), func(r *inlineReply) *int { return &r.status }).Or("200"),
		document.Of("headers", "its headers; one that stands several times has a list", manyHeaders(), func(r *inlineReply) *http.Header { return &r.headers }),
		{Name: "json", About: "the body, as YAML", Form: anything, Read: func(r *inlineReply, n *document.Node) {
			body, err := n.JSON()
			if err != nil {
				n.Errorf("the body cannot be written as JSON: %v", err)
			}
			r.body = body
		}},
		{Name: "text", About: "the body, word for word", Form: document.Text().Form, Read: func(r *inlineReply, n *document.Node) { r.body = []byte(n.Text()) }},
		{Name: "file", About: "a file with the body", Form: file().Form, Read: func(r *inlineReply, n *document.Node) {
			body, err := document.ReadFile(beside(n))
			if err != nil {
				n.Errorf("the file %q cannot be read", n.Text())
			}
			r.body = body
		}},
	}
}

func inlineExpectKeys() []document.Key[inlineExpect] {
	return []document.Key[inlineExpect]{
		document.Of("outcome", "what came of it", document.OneOf("ok", "partial", "absent", "failed"), func(e *inlineExpect) *string { return &e.outcome }).Must(),
		document.Of("kind", "the kind of failure", anyKind(), func(e *inlineExpect) *string { return &e.kind }),
		document.Of("ids", "identifiers yielded", tree(), func(e *inlineExpect) *any { return &e.ids }),
		document.Of("profile", "the source's part of the profile", tree(), func(e *inlineExpect) *any { return &e.profile }),
		document.Of("error", "what the upstream said of its failure; need not be stated", tree(), func(e *inlineExpect) *any { return &e.err }),
		document.Of("warnings", "the upstream's own partial failures", tree(), func(e *inlineExpect) *any { return &e.warnings }),
		document.Of("retry_after", "seconds until it may be asked again; need not be stated", tree(), func(e *inlineExpect) *any { return &e.retryAfter }),
	}
}

func anyKind() document.Type[string] {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.String())
	}
	return document.Type[string]{Form: document.OneOf(names...).Form, Read: func(into *string, n *document.Node) {
		if _, ok := ParseKind(n.Text()); !ok {
			n.Errorf("unknown kind %q", n.Text())
		}
		*into = n.Text()
	}}
}

// tree is whatever JSON holds, as ParseJSON has it.
func tree() document.Type[any] {
	return document.Type[any]{Form: document.Form{About: "whatever JSON holds"}, Read: func(into *any, n *document.Node) {
		text, err := n.JSON()
		if err != nil {
			n.Errorf("this cannot be written as JSON: %v", err)
			return
		}
		if *into, err = normalize.ParseJSON(text); err != nil {
			n.Errorf("this cannot be written as JSON: %v", err)
		}
	}}
}

// RunTests plays the definition's own tests through the engine, with the
// network replaced by the reply that each test states.
func (d *Definition) RunTests(ctx context.Context) []TestResult {
	results := make([]TestResult, 0, len(d.tests))
	limits := DefaultLimits() // read from the table of keys: once for all tests
	for i := range d.tests {
		results = append(results, d.runTest(ctx, &d.tests[i], limits))
	}
	return results
}

func (d *Definition) runTest(ctx context.Context, t *inlineTest, limits Limits) TestResult {
	result := TestResult{Provider: d.Name, Name: t.name, Position: t.node.Position(), test: t}
	wire := &inlineWire{reply: t.reply}
	source := d.Bind(d.Name, d.testSettings(t), limits, nil, wire)
	source.credential.auth = auth{caller: d.auth.caller} // of credentials, a test states only that there is a caller
	source.noted = func(notes []normalize.Note) { result.Misfits = notes }
	if !t.now.IsZero() {
		source.now = func() time.Time { return t.now }
	}
	reply, err := source.Fetch(ctx, t.query)

	result.Sent = wire.sent
	switch {
	case wire.sent == "" && t.reply != nil:
		result.differ("reply", "something sent, since the test has a reply", "nothing sent")
	case wire.sent != "" && t.reply == nil:
		result.differ("reply", "nothing sent, since the test has no reply", wire.sent)
	case wire.sent != "" && t.request != "" && !sameRequest(t.request, wire.sent):
		result.differ("request", t.request, wire.sent)
	}
	if t.body != nil && wire.sent != "" {
		result.Differences = append(result.Differences, difference("body", t.body, wire.body)...)
	}
	result.Got = renderReply(reply, err, t.now)
	got, want := maps.Clone(result.Got), t.expect.tree()
	if want["error"] == nil {
		delete(got, "error")
	}
	if want["retry_after"] == nil {
		delete(got, "retry_after")
	}
	result.Differences = append(result.Differences, difference("", want, got)...)
	if fault := FaultOf(err); fault != nil && (wire.sent == "" || t.reply != nil) && (got["outcome"] != want["outcome"] || got["kind"] != want["kind"]) {
		result.Why = fault.Error()
	}
	return result
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
	sent  string // method and address
	body  any    // its JSON, or its form as one; nil for none
}

var errNothingMayBeSent = errors.New("the test states no reply")

func (w *inlineWire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.sent = r.Method + " " + r.URL.String()
	if r.Body != nil {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if w.body, err = bodyTree(r.Header.Get("Content-Type"), content); err != nil {
			return nil, err
		}
	}
	if w.reply == nil {
		return nil, errNothingMayBeSent
	}
	return &http.Response{StatusCode: w.reply.status, Header: w.reply.headers.Clone(), Body: io.NopCloser(bytes.NewReader(w.reply.body)), Request: r}, nil
}

// bodyTree is a body that was sent, in the forms of normalize.ParseJSON: a form as
// an object of texts, where a parameter that stands several times has a list.
func bodyTree(mediaType string, content []byte) (any, error) {
	if mediaType != mediaForm {
		return normalize.ParseJSON(content)
	}
	parameters, err := url.ParseQuery(string(content))
	if err != nil {
		return nil, err
	}
	tree := map[string]any{}
	for name, values := range parameters {
		if tree[name] = values[0]; len(values) > 1 {
			tree[name] = asTree(values)
		}
	}
	return tree, nil
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

// difference lists where two trees differ.
func difference(path string, want, got any) []Difference {
	wantMap, isMap := want.(map[string]any)
	gotMap, alsoMap := got.(map[string]any)
	if isMap && alsoMap {
		var all []Difference
		keys := slices.Sorted(maps.Keys(wantMap))
		for key := range gotMap {
			if _, both := wantMap[key]; !both {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			all = append(all, difference(strings.TrimPrefix(path+"."+key, "."), wantMap[key], gotMap[key])...)
		}
		return all
	}
	wantList, isList := want.([]any)
	gotList, alsoList := got.([]any)
	if isList && alsoList && len(wantList) == len(gotList) {
		var all []Difference
		for i := range wantList {
			all = append(all, difference(fmt.Sprintf("%s[%d]", path, i), wantList[i], gotList[i])...)
		}
		return all
	}
	if w, g := show(want), show(got); w != g {
		return []Difference{{path, w, g}}
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
		var b strings.Builder
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(v) // a text, true or false
		return strings.TrimSuffix(b.String(), "\n")
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
