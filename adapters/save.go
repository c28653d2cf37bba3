package adapters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"muster/config/document"
	"muster/normalize"
)

// ErrNoReply is what SaveTest returns where there is no whole reply to save.
var ErrNoReply = errors.New("no whole reply came")

// SaveTest makes an inline test of what a recorded source was asked and answered:
// the YAML of one item under `tests`, without indentation. The definition is the
// one that the test is for, and may differ from the source's own in what a
// deployment writes over it.
//
// Fake replaces every text and number of a tree (ParseJSON's forms), the same by
// the same, and leaves its shape. All that comes of the person, the tenant and the
// deployment passes it, in one call; what the definition itself writes is put
// back, since conditions depend on it. What is expected is what the definition
// makes of the fakes; if that is something else than it makes of the reply, the
// error says so, and nothing of the reply.
func (d *Definition) SaveTest(ctx context.Context, name string, s *Source, r *Recorder, fake func(tree any) any) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.last()
	if e == nil {
		return "", ErrNoReply
	}
	test, tree, err := d.recorded(name, s, r.query, e)
	if err != nil {
		return "", err
	}
	real, _ := d.play(ctx, &test)
	if tree, err = d.fakeAll(tree, fake); err != nil {
		return "", err
	}
	if err := test.take(tree); err != nil {
		return "", err
	}
	expect, sent := d.play(ctx, &test)
	if notes := expect["notes"]; notes != nil {
		return "", fmt.Errorf("a value does not fit its member: %v", notes)
	}
	if a, b := outline(real), outline(expect); a != b {
		return "", fmt.Errorf("with fakes in it the reply reads otherwise (%s, and not %s): write this test by hand", b, a)
	}
	return testYAML(&test, tree, sent, expect), nil
}

// The members of the tree in which all that is to be faked stands together.
const (
	fakedIDs      = "id"
	fakedTenant   = "tenant"
	fakedSettings = "settings"
	fakedBody     = "body"
)

// recorded is the test as it really was, and the tree of all that is personal in it.
func (d *Definition) recorded(name string, s *Source, q Query, e *recordedCall) (inlineTest, map[string]any, error) {
	test := inlineTest{name: name, query: Query{IDs: map[string]string{}, Tenant: map[string]string{}}, with: Settings{}}
	used, _ := s.Choose(q)
	for _, kind := range used {
		test.query.IDs[kind] = q.IDs[kind]
	}
	for _, value := range d.TenantNames() {
		if text := q.Tenant[value]; text != "" {
			test.query.Tenant[value] = text
		}
	}
	for _, setting := range d.settings {
		value, given := s.settings[setting.Name]
		if !given || setting.Format == "secret" || !d.shapes(setting.Name) || value.Reveal() == setting.Default {
			continue
		}
		test.with[setting.Name] = value
	}
	test.reply = &inlineReply{status: e.status, headers: http.Header{}, body: e.body}
	if after := e.header.Get("Retry-After"); digits.MatchString(after) {
		test.reply.headers.Set("Retry-After", after)
	}
	tree := map[string]any{fakedIDs: asTree(test.query.IDs), fakedTenant: asTree(test.query.Tenant), fakedSettings: d.revealed(test.with)}
	switch body, err := normalize.ParseJSON(e.body); {
	case err != nil: // a page of some proxy's: what it says is of no use to a test
		test.reply.body = nil
	case personalName(body, test.query.IDs, d.words()):
		return test, nil, errors.New("the reply has members that are named after people: write this test by hand")
	default:
		tree[fakedBody] = body
	}
	return test, tree, nil
}

// shapes tells whether a setting is part of any lookup or comparison, and not of
// the credential alone, which tests know nothing of.
func (d *Definition) shapes(setting string) bool {
	all := parameterTemplates(d.headers, d.query)
	for i := range d.lookups {
		all = append(all, d.required(&d.lookups[i])...)
	}
	return slices.ContainsFunc(all, func(t template) bool { return slices.Contains(t.refs("settings"), setting) })
}

// revealed are settings as texts. A deployment's hosts are nobody else's business.
func (d *Definition) revealed(with Settings) map[string]any {
	texts := map[string]any{}
	for _, setting := range d.settings {
		if value, ok := with[setting.Name]; ok && setting.Format != "host" {
			texts[setting.Name] = value.Reveal()
		}
	}
	return texts
}

// take puts the fakes in the place of what was recorded.
func (t *inlineTest) take(tree map[string]any) error {
	for name := range t.with {
		t.with[name] = NewSecret(strings.ReplaceAll(name, "_", "-") + ".example")
	}
	for name, text := range textsOf(tree[fakedSettings]) {
		t.with[name] = NewSecret(text)
	}
	t.query = Query{IDs: textsOf(tree[fakedIDs]), Tenant: textsOf(tree[fakedTenant])}
	body, ok := tree[fakedBody]
	if !ok {
		return nil
	}
	if ambiguous(body) {
		return errors.New("the reply says a member twice, with different values: write this test by hand")
	}
	content, err := json.Marshal(body)
	t.reply.body = content
	return err
}

func ambiguous(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			if ambiguous(member) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, ambiguous)
	case normalize.Ambiguous:
		return true
	}
	return false
}

func textsOf(tree any) map[string]string {
	members, _ := tree.(map[string]any)
	all := make(map[string]string, len(members))
	for name, v := range members {
		all[name], _ = normalize.ScalarText(v)
	}
	return all
}

// play runs a test and returns what came of it, in the form of `expect`, and what
// was sent. Under "notes" stand the values that did not fit.
func (d *Definition) play(ctx context.Context, t *inlineTest) (expect map[string]any, sent string) {
	wire := &inlineWire{reply: t.reply}
	source := d.Bind(d.Name, d.testSettings(t), DefaultLimits(), nil, wire)
	source.credential.auth = auth{}
	reply, err := source.Fetch(ctx, t.query)
	expect = renderReply(reply, err, t.now)
	delete(expect, "retry_after") // a date's distance from now
	if len(reply.Notes) > 0 {
		expect["notes"] = strings.Join(reply.Notes, "; ")
	}
	return expect, wire.sent
}

// outline is what of an outcome no fake may change: how it went, and which members
// came of it.
func outline(expect map[string]any) string {
	said := fmt.Sprint(expect["outcome"])
	if kind := expect["kind"]; kind != nil {
		said += fmt.Sprintf(" %v", kind)
	}
	for _, part := range []string{"ids", "profile"} {
		if !normalize.Absent(expect[part]) {
			said += ", " + part + " " + shape(expect[part])
		}
	}
	return said
}

// shape is a tree without its values.
func shape(v any) string {
	var parts []string
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, name+shape(v[name]))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case []any:
		for _, item := range v {
			parts = append(parts, shape(item))
		}
		slices.Sort(parts)
		return "[" + strings.Join(parts, " ") + "]"
	default:
		return ""
	}
}

// fakeAll has everything faked but what the definition itself writes.
func (d *Definition) fakeAll(tree map[string]any, fake func(any) any) (map[string]any, error) {
	words := d.words()
	faked, ok := restore(tree, fake(tree), words).(map[string]any)
	if !ok {
		return nil, errors.New("the fakes are not of the reply's shape")
	}
	return faked, nil
}

// words are what a definition writes about replies: what a value must be, what it
// is mapped to. To keep them says nothing of anybody.
type words struct {
	exact    map[string]bool // in lower case
	patterns []string        // with a *
}

func (d *Definition) words() words {
	w := words{exact: map[string]bool{}}
	for _, key := range []string{"response", "ids", "profile"} {
		w.collect(d.node.Field(key))
	}
	return w
}

var celText = regexp.MustCompile(`"([^"\\]*)"|'([^'\\]*)'`)

func (w *words) collect(n *document.Node) {
	switch n.Kind() {
	case document.Scalar:
		w.add(n.Text())
		for _, quoted := range celText.FindAllStringSubmatch(n.Text(), -1) {
			w.add(quoted[1] + quoted[2])
		}
	case document.List:
		for _, item := range n.Items() {
			w.collect(item)
		}
	case document.Mapping:
		for _, f := range n.Fields() {
			w.add(f.Key.Text())
			w.collect(f.Value)
		}
	}
}

func (w *words) add(text string) {
	switch plain := strings.ReplaceAll(text, "*", ""); {
	case plain == "":
	case plain != text:
		w.patterns = append(w.patterns, text)
	default:
		w.exact[strings.ToLower(text)] = true
	}
}

// of tells what stands in a test for a value that the definition knows: itself, or
// the pattern that it is like.
func (w *words) of(text string) (string, bool) {
	lower := strings.ToLower(text)
	if w.exact[lower] {
		return text, true
	}
	for _, pattern := range w.patterns {
		if like(strings.ToLower(pattern), lower) {
			return strings.ReplaceAll(pattern, "*", ""), true
		}
	}
	return "", false
}

// like tells whether a text has the parts of a pattern, in their order.
func like(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	for i, part := range parts {
		at := strings.Index(text, part)
		if at < 0 || i == len(parts)-1 && !strings.HasSuffix(text, part) {
			return false
		}
		text = text[at+len(part):]
		if i == len(parts)-2 && len(parts[i+1]) > len(text) {
			return false
		}
	}
	return true
}

// restore is the fakes, with what the definition itself writes put back.
func restore(real, fake any, w words) any {
	switch r := real.(type) {
	case map[string]any:
		f, ok := fake.(map[string]any)
		if !ok {
			return nil
		}
		members := make(map[string]any, len(r))
		for name, member := range r {
			members[name] = restore(member, f[name], w)
		}
		return members
	case []any:
		f, ok := fake.([]any)
		if !ok || len(f) != len(r) {
			return nil
		}
		items := make([]any, len(r))
		for i := range r {
			items[i] = restore(r[i], f[i], w)
		}
		return items
	case string:
		if known, ok := w.of(r); ok || r == "" {
			return known
		}
		return fake
	case normalize.Number:
		if _, ok := w.of(string(r)); ok || r == "0" { // which means nothing in most places
			return r
		}
		return fake
	default: // true, false, null, and what is said twice
		return r
	}
}

// personalName tells whether an object has a member that may be called after
// somebody: fakes stand in the place of values alone. What the definition itself
// writes is nobody's name.
func personalName(v any, ids map[string]string, known words) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if !known.exact[strings.ToLower(name)] && afterSomebody(name, ids) || personalName(member, ids, known) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return personalName(item, ids, known) })
	}
	return false
}

// memberName is what programmers call members.
var memberName = regexp.MustCompile(`^[@$#]?[A-Za-z_][A-Za-z0-9_.:/#$-]*$`)

func afterSomebody(name string, ids map[string]string) bool {
	if !memberName.MatchString(name) || uuid.MatchString(name) {
		return true
	}
	for _, id := range ids {
		if strings.EqualFold(id, name) {
			return true
		}
	}
	return false
}

// plainRequest is what YAML takes for a text without quotes.
var plainRequest = regexp.MustCompile(`^[A-Z]+ https://[^\s#]*[^\s:#]$`)

// testYAML writes a test as people do: one line where it fits.
func testYAML(t *inlineTest, tree map[string]any, sent string, expect map[string]any) string {
	var b strings.Builder
	line := func(indent int, key string, v any) {
		fmt.Fprintf(&b, "%*s%s:", indent, "", key)
		writeFlow(&b, v, indent+2)
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "- name: %s\n", document.Quote(t.name))
	settings := map[string]any{}
	for name, value := range t.with {
		settings[name] = value.Reveal()
	}
	b.WriteString("  with:\n")
	for _, part := range []struct {
		key string
		v   any
	}{{"settings", settings}, {"tenant", tree[fakedTenant]}, {"id", tree[fakedIDs]}} {
		if !normalize.Absent(part.v) {
			line(4, part.key, part.v)
		}
	}
	if !plainRequest.MatchString(sent) {
		sent = document.Quote(sent)
	}
	fmt.Fprintf(&b, "  request: %s\n  reply:\n", sent)
	if t.reply.status != http.StatusOK || t.reply.body == nil {
		fmt.Fprintf(&b, "    http: %s\n", strconv.Itoa(t.reply.status))
	}
	if len(t.reply.headers) > 0 {
		headers := map[string]any{}
		for name := range t.reply.headers {
			headers[name] = t.reply.headers.Get(name)
		}
		line(4, "headers", headers)
	}
	if body, ok := tree[fakedBody]; ok {
		line(4, "json", body)
	}
	b.WriteString("  expect:\n")
	for _, key := range []string{"outcome", "kind"} { // a word, which needs no quotes
		if v, ok := expect[key]; ok {
			fmt.Fprintf(&b, "    %s: %v\n", key, v)
		}
	}
	for _, key := range []string{"ids", "profile", "error", "warnings"} {
		if v, ok := expect[key]; ok {
			line(4, key, v)
		}
	}
	return b.String()
}

// flowWidth is how long a line of a saved test may be.
const flowWidth = 110

// writeFlow writes a tree in YAML's flow style behind a key: in the key's line
// where it fits, else over several, indented.
func writeFlow(b *strings.Builder, v any, indent int) {
	if one := flow(v); len(one)+indent <= flowWidth {
		b.WriteString(" " + one)
		return
	}
	b.WriteString("\n" + strings.Repeat(" ", indent))
	writeLong(b, v, indent)
}

func writeLong(b *strings.Builder, v any, indent int) {
	margin := "\n" + strings.Repeat(" ", indent)
	switch v := v.(type) {
	case map[string]any:
		b.WriteByte('{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(margin + "  " + flowKey(name) + ":")
			if one := flow(v[name]); len(one)+len(name)+indent <= flowWidth {
				b.WriteString(" " + one)
				continue
			}
			b.WriteByte(' ')
			writeLong(b, v[name], indent+2)
		}
		b.WriteString(margin + "}")
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(margin + "  ")
			if one := flow(item); len(one)+indent <= flowWidth {
				b.WriteString(one)
				continue
			}
			writeLong(b, item, indent+2)
		}
		b.WriteString(margin + "]")
	default:
		b.WriteString(flow(v))
	}
}

// flow is a tree on one line.
func flow(v any) string {
	var parts []string
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, flowKey(name)+": "+flow(v[name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		for _, item := range v {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case normalize.Number:
		return string(v)
	case string:
		return document.Quote(v)
	default:
		return jsonText(v, "") // true, false or null
	}
}

// plainKey is a key that needs no quotes, whatever reads the YAML.
var plainKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{2,}$|^id$`)

func flowKey(name string) string {
	if plainKey.MatchString(name) && !slices.Contains([]string{"true", "false", "null", "yes", "off"}, strings.ToLower(name)) {
		return name
	}
	return document.Quote(name)
}
