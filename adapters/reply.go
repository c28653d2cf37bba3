package adapters

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/config/document"
	"muster/normalize"
)

// response is what a definition says under `response`: what is success, where
// the record is, what errors mean.
type response struct {
	ok         normalize.Condition
	data       normalize.Paths
	pick       []comparison
	list       bool
	empty      string // "malformed", "not_found" or "ok"
	match      []comparison
	detail     detailPaths
	errors     []classification
	partial    *partial
	retryAfter *retryAfter
}

// comparison asks that what stands at a path is what was asked for.
type comparison struct {
	path normalize.Path
	want template
}

// classification names the kind of a failure by what the reply says.
type classification struct {
	condition normalize.Condition
	kind      Kind
}

// detailPaths is where an error says what; partial children have the same, and
// a status.
type detailPaths struct {
	status, code, message, ref, hint, subject, details normalize.Paths
}

type partial struct {
	each   normalize.Paths
	detail detailPaths
}

type retryAfter struct {
	header string
	path   normalize.Paths
	as     string // "seconds", "epoch_s", "epoch_ms" or "http_date"
}

func responseKeys(c *normalize.Compiler) []document.Key[response] {
	return []document.Key[response]{
		document.Of("ok", "conditions that must all hold on a 2xx", c.ConditionType(), func(r *response) *normalize.Condition { return &r.ok }),
		document.Of("data", "where the record is", c.PathsType(), func(r *response) *normalize.Paths { return &r.data }).Or("."),
		document.Of("pick", "of a list of hits, keep those that equal what was asked for", comparisonsType(c), func(r *response) *[]comparison { return &r.pick }),
		document.Of("list", "the record is the whole list", document.Switch(), func(r *response) *bool { return &r.list }).Or("false"),
		document.Of("empty", "what it means that nothing is at data", document.OneOf("malformed", "not_found", "ok"), func(r *response) *string { return &r.empty }).Or("malformed"),
		document.Of("match", "the record must be what was asked for, else mismatch", comparisonsType(c), func(r *response) *[]comparison { return &r.match }),
		document.Of("error", "paths in an error body, for the trace and the log", document.Object(func() []document.Key[detailPaths] { return detailKeys(c) }), func(r *response) *detailPaths { return &r.detail }),
		document.Of("errors", "the first whose conditions hold decides before the HTTP status does", document.Items(document.Object(func() []document.Key[classification] { return classificationKeys(c) })), func(r *response) *[]classification { return &r.errors }),
		document.Of("partial", "the upstream's own partial failures; any item makes the source partial", document.Pointer(document.Object(func() []document.Key[partial] { return partialKeys(c) })), func(r *response) **partial { return &r.partial }),
		document.Of("retry_after", "where the upstream says when to come back; without it the header Retry-After", document.Pointer(retryAfterType(c)), func(r *response) **retryAfter { return &r.retryAfter }),
	}
}

func retryAfterType(c *normalize.Compiler) document.Type[retryAfter] {
	return document.Object(func() []document.Key[retryAfter] {
		return []document.Key[retryAfter]{
			document.Of("header", "a header", document.Text(), func(r *retryAfter) *string { return &r.header }),
			document.Of("path", "a path in the body", c.PathsType(), func(r *retryAfter) *normalize.Paths { return &r.path }),
			document.Of("as", "what its value means", document.OneOf("seconds", "epoch_s", "epoch_ms", "http_date"), func(r *retryAfter) *string { return &r.as }).Or("seconds"),
		}
	}).With(func(r retryAfter, n *document.Node) {
		if (r.header == "") == (r.path == nil) {
			n.Errorf("exactly one of header and path is needed here")
		}
	})
}

func comparisonsType(c *normalize.Compiler) document.Type[[]comparison] {
	form := document.NamesOf(inRequest().form()).Like(`{email: "{id.email}"}`)
	form.About = "PATH: what was asked for"
	return document.Type[[]comparison]{Form: form, Read: func(into *[]comparison, n *document.Node) {
		for _, f := range n.Fields() {
			*into = append(*into, comparison{c.Path(f.Key), parseTemplate(f.Value, f.Value.Text(), 0, inRequest())})
		}
	}}
}

func classificationKeys(c *normalize.Compiler) []document.Key[classification] {
	return []document.Key[classification]{
		document.Of("if", "conditions", c.ConditionType(), func(r *classification) *normalize.Condition { return &r.condition }).Must(),
		document.Of("as", "the kind of failure", upstreamKind(), func(r *classification) *Kind { return &r.kind }).Must(),
	}
}

// upstreamKind is a kind of failure that an upstream may have; the rest are ours to say.
func upstreamKind() document.Type[Kind] {
	var names []string
	for _, k := range Kinds() {
		if k < Open {
			names = append(names, k.String())
		}
	}
	words := document.OneOf(names...)
	return document.Type[Kind]{Form: words.Form, Read: func(into *Kind, n *document.Node) {
		var name string
		words.Read(&name, n)
		*into, _ = ParseKind(name)
	}}
}

func detailKeys(c *normalize.Compiler) []document.Key[detailPaths] {
	paths := c.PathsType()
	return []document.Key[detailPaths]{
		document.Of("code", "the upstream's own error code", paths, func(d *detailPaths) *normalize.Paths { return &d.code }),
		document.Of("message", "its text", paths, func(d *detailPaths) *normalize.Paths { return &d.message }),
		document.Of("ref", "its operation id", paths, func(d *detailPaths) *normalize.Paths { return &d.ref }),
		document.Of("hint", "what it proposes", paths, func(d *detailPaths) *normalize.Paths { return &d.hint }),
		document.Of("subject", "what the error concerns", paths, func(d *detailPaths) *normalize.Paths { return &d.subject }),
		document.Of("details", "further texts", paths, func(d *detailPaths) *normalize.Paths { return &d.details }),
	}
}

func partialKeys(c *normalize.Compiler) []document.Key[partial] {
	keys := []document.Key[partial]{
		document.Of("each", "path of the list of failures", c.PathsType(), func(p *partial) *normalize.Paths { return &p.each }).Must(),
		document.Of("status", "the HTTP status of one failure", c.PathsType(), func(p *partial) *normalize.Paths { return &p.detail.status }),
	}
	for _, k := range detailKeys(c) {
		if k.Name != "details" {
			keys = append(keys, document.Within(k, func(p *partial) *detailPaths { return &p.detail }))
		}
	}
	return keys
}

func (d *detailPaths) read(at *normalize.Cursor) Detail {
	status, _ := strconv.Atoi(d.status.Text(at))
	return Detail{
		Status: status, Code: d.code.Text(at), Message: d.message.Text(at), Hint: d.hint.Text(at),
		Ref: d.ref.Text(at), Subject: d.subject.Text(at), Details: d.details.Texts(at),
	}
}

// received is a reply as it came from the wire.
type received struct {
	status int
	header http.Header
	body   []byte
}

// receive reads a reply, at most limit bytes of its body after decompression.
func receive(ctx context.Context, r *http.Response, limit int64) (received, error) {
	defer func() { _ = r.Body.Close() }() // read to its end, or not worth waiting for its end
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		fault := transportFault(ctx, err, "reading the reply")
		fault.Detail.Status = r.StatusCode
		return received{}, fault
	}
	if int64(len(body)) > limit {
		fault := Fail(Malformed, "the reply is larger than limits.max_bytes", nil)
		fault.Detail.Status = r.StatusCode
		return received{}, fault
	}
	return received{r.StatusCode, r.Header, body}, nil
}

// interpret makes a Reply of what came, for the lookup that was sent. Its error
// is a *Fault, and then nothing of the reply is used.
func (d *Definition) interpret(got received, lookup *Lookup, v *values, now time.Time) (Reply, error) {
	tree, parseErr := normalize.ParseJSON(got.body)
	scope := &normalize.Scope{Status: got.status, Body: tree}
	root := normalize.At(tree)

	fail := func(kind Kind, step string) (Reply, error) {
		fault := Fail(kind, step, nil)
		fault.Detail = d.response.detail.read(root)
		fault.Detail.Status = got.status
		fault.RetryAfter = d.response.retryAfterOf(got, root, now)
		return Reply{}, fault
	}
	success := got.status >= 200 && got.status < 300
	if success && parseErr != nil {
		return fail(Malformed, "the reply is not JSON")
	}
	for _, rule := range d.response.errors {
		if rule.condition.Holds(scope, root) {
			return fail(rule.kind, "the definition says so of this reply")
		}
	}
	if kind := KindOfStatus(got.status); kind != 0 {
		return fail(kind, "the upstream answered "+strconv.Itoa(got.status))
	}
	if !d.response.ok.Holds(scope, root) {
		return fail(Unavailable, "the reply does not say that it succeeded")
	}
	record, kind, message := d.record(root, v)
	if kind != 0 {
		return fail(kind, message)
	}
	scope.Data = record
	if !allEqual(d.response.match, normalize.At(record), v) {
		return fail(Mismatch, "the record is not the one asked for")
	}
	mapped, notes, err := d.mapping.Apply(scope, now)
	if err != nil {
		return fail(Malformed, err.Error())
	}
	if !d.sameIdentifiers(mapped, lookup, v) {
		return fail(Mismatch, "the record's own identifier is not the one asked for")
	}
	if d.identifiersOf(lookup) == nil && !d.compared(record, mapped, v) {
		return fail(Mismatch, "nothing in the record tells that it is the person's who was asked for")
	}
	return Reply{Record: mapped, Status: got.status, Children: d.children(root), Notes: notes}, nil
}

// record finds the record in the body. A kind other than 0 says why there is none.
func (d *Definition) record(root *normalize.Cursor, v *values) (any, Kind, string) {
	data, ok := d.response.data.First(root)
	if ok && len(d.response.pick) > 0 {
		data, ok = d.picked(data, v)
	}
	items, isList := data.([]any)
	switch {
	case d.response.list && isList:
		return data, 0, ""
	case !ok && d.response.list && d.response.data.EmptyList(root):
		return []any{}, 0, "" // the whole list, with nothing in it
	case isList:
		items = slices.DeleteFunc(slices.Clone(items), normalize.Absent)
		if len(items) > 1 {
			return nil, Mismatch, "more than one record answers to the identifier"
		}
		if ok = len(items) == 1; ok {
			data = items[0]
		}
	}
	if ok {
		if object, isObject := data.(map[string]any); isObject {
			return object, 0, ""
		}
		return nil, Malformed, "the record is not an object"
	}
	switch root.Value.(type) {
	case nil, map[string]any, []any:
	default:
		return nil, Malformed, "the reply is not an object"
	}
	switch d.response.empty {
	case "ok":
		return map[string]any{}, 0, ""
	case "not_found":
		return nil, NotFound, "no record"
	default:
		return nil, Malformed, "no record where the definition expects it"
	}
}

// picked keeps the hits that equal what was asked for: a search that answers
// with what merely resembles it has not found it.
func (d *Definition) picked(data any, v *values) (any, bool) {
	items, isList := data.([]any)
	if !isList {
		items = []any{data}
	}
	var hits []any
	for _, item := range items {
		if at := normalize.At(item); allPresent(d.response.pick, at) && allEqual(d.response.pick, at, v) {
			hits = append(hits, item)
		}
	}
	return hits, true
}

func allPresent(wanted []comparison, at *normalize.Cursor) bool {
	for _, c := range wanted {
		if _, ok := c.path.Value(at); !ok {
			return false
		}
	}
	return true
}

// allEqual tells whether nothing at the paths differs from what was asked for.
// What the record leaves out does not differ, nor does an identifier or a setting
// that nobody gave. A tenant's value must be there: without it the record may be
// another tenant's.
func allEqual(wanted []comparison, at *normalize.Cursor, v *values) bool {
	for _, c := range wanted {
		want, err := c.want.render(v, clean)
		if missing := (absentError{}); errors.As(err, &missing) && missing.ref.space != "tenant" {
			continue // not asked for in this lookup
		}
		if err != nil {
			return false
		}
		for found := range c.path.Values(at) {
			text, ok := normalize.ScalarText(found)
			if !ok || !sameText(c.kind(), text, want) {
				return false
			}
		}
	}
	return true
}

// kind is the kind of identifier that the comparison is about, "" for another value.
func (c *comparison) kind() string {
	if ids := c.want.refs("id"); len(ids) == 1 && len(c.want) == 1 {
		return ids[0]
	}
	return ""
}

// sameText compares identifiers as their kind asks; GUIDs in any case (RFC 9562, 4).
func sameText(kind, a, b string) bool {
	return normalize.SameID(kind, a, b) || uuid.MatchString(a) && uuid.MatchString(b) && strings.EqualFold(a, b)
}

// sameIdentifiers tells whether each identifier that the lookup asked with came
// back as it was, where it came back at all.
func (d *Definition) sameIdentifiers(record normalize.Record, lookup *Lookup, v *values) bool {
	asked := d.identifiersOf(lookup)
	for i, rule := range d.mapping.IDs() {
		if !rule.Check || !contains(asked, rule.Kind) {
			continue
		}
		for _, id := range record.IDs {
			if id.Kind == d.mapping.IDs()[i].Kind && !sameText(id.Kind, id.Value, v.query.IDs[id.Kind]) {
				return false
			}
		}
	}
	return true
}

// children are the upstream's own partial failures.
func (d *Definition) children(root *normalize.Cursor) []*Fault {
	if d.response.partial == nil {
		return nil
	}
	var children []*Fault
	for _, each := range d.response.partial.each {
		for item := range each.Each(root) {
			detail := d.response.partial.detail.read(item)
			kind := KindOfStatus(detail.Status)
			if detail.Status < 300 {
				kind = Unavailable // a failure that does not say which
			}
			children = append(children, &Fault{Kind: kind, Detail: detail})
		}
	}
	return children
}

// maxRetryAfter caps what an upstream may ask of us.
const maxRetryAfter = time.Hour

func (r *response) retryAfterOf(got received, root *normalize.Cursor, now time.Time) time.Duration {
	rule := r.retryAfter
	if rule == nil {
		return retryAfterHeader(got.header.Get("Retry-After"), now)
	}
	text := rule.path.Text(root)
	if rule.header != "" {
		text = got.header.Get(rule.header)
	}
	switch rule.as {
	case "http_date":
		return retryAfterHeader(text, now)
	case "seconds":
		after, _ := secondsOf(text, maxRetryAfter)
		return after
	default:
		at, some, err := normalize.Epoch(rule.as).Time(normalize.Number(text))
		if err != nil || !some {
			return 0
		}
		return within(at.Sub(now), maxRetryAfter)
	}
}

// retryAfterHeader reads seconds or a date (RFC 9110, 10.2.3).
func retryAfterHeader(text string, now time.Time) time.Duration {
	if after, ok := secondsOf(text, maxRetryAfter); ok {
		return after
	}
	if at, err := http.ParseTime(text); err == nil {
		return within(at.Sub(now), maxRetryAfter)
	}
	return 0
}

// secondsOf reads a count of seconds as a time span from 0 to most; ok tells
// whether the text is a number. One that no float holds is most, as is one that
// no time span holds.
func secondsOf(text string, most time.Duration) (span time.Duration, ok bool) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(seconds) {
		return 0, false
	}
	return time.Duration(max(0, min(seconds, most.Seconds())) * float64(time.Second)), true
}

func within(span, most time.Duration) time.Duration { return max(0, min(span, most)) }
