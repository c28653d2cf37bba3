package adapters

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
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
	retryAfter []retryAfter
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

// partial says how an upstream tells that its answer lacks something: each failure
// at a path, or conditions on the whole reply.
type partial struct {
	each   normalize.Paths
	when   *normalize.Condition
	detail detailPaths // relative to a failure, or to the body
}

func responseKeys(c *normalize.Compiler) []document.Key[response] {
	return []document.Key[response]{
		{Name: "ok", About: "conditions that must all hold on a 2xx", Read: func(r *response, n *document.Node) { r.ok = c.Condition(n) }},
		{Name: "data", About: "path of the record, or a list of paths: the first that has a value", Read: func(r *response, n *document.Node) { r.data = c.Paths(n) }},
		{Name: "pick", About: "of a list of hits, keep those that equal what was asked for", Read: func(r *response, n *document.Node) { r.pick = comparisons(c, n) }},
		{Name: "list", About: "the record is the whole list", Read: func(r *response, n *document.Node) { r.list = n.Bool() }},
		{Name: "empty", About: "what it means that nothing is at data", Read: func(r *response, n *document.Node) { r.empty = n.OneOf("malformed", "not_found", "ok") }},
		{Name: "match", About: "the record must be what was asked for", Read: func(r *response, n *document.Node) { r.match = comparisons(c, n) }},
		{Name: "error", About: "paths in an error body, for the trace and the log", Read: func(r *response, n *document.Node) { document.Decode(n, &r.detail, detailKeys(c)) }},
		{Name: "errors", About: "{if: CONDITIONS, as: KIND}: the first that holds decides before the HTTP status does", Read: func(r *response, n *document.Node) {
			for _, item := range n.Items() {
				var rule classification
				document.Decode(item, &rule, classificationKeys(c))
				r.errors = append(r.errors, rule)
			}
		}},
		{Name: "partial", About: "the upstream's own partial failures", Read: func(r *response, n *document.Node) {
			r.partial = &partial{}
			document.Decode(n, r.partial, partialKeys(c))
			if n.Kind() == document.Mapping && (n.Field("each") == nil) == (n.Field("if") == nil) {
				n.Errorf("exactly one of each and if is needed here").Suggest("each: PATH is the list of failures; if: CONDITIONS holds of a reply that is cut")
			}
		}},
		{Name: "retry_after", About: "where the upstream says when to come back; of a list, the first place that says it", Read: func(r *response, n *document.Node) {
			for _, item := range n.OneOrMore() {
				r.retryAfter = append(r.retryAfter, readRetryAfter(c, item))
			}
		}},
	}
}

func classificationKeys(c *normalize.Compiler) []document.Key[classification] {
	return []document.Key[classification]{
		{Name: "if", About: "conditions", Required: true, Read: func(r *classification, n *document.Node) { r.condition = c.Condition(n) }},
		{Name: "as", About: "the kind of failure", Required: true, Read: func(r *classification, n *document.Node) {
			names := make([]string, 0, len(Kinds()))
			for _, k := range Kinds() {
				if k < Open { // the rest are ours to say
					names = append(names, k.String())
				}
			}
			r.kind, _ = ParseKind(n.OneOf(names...))
		}},
	}
}

func detailKeys(c *normalize.Compiler) []document.Key[detailPaths] {
	return []document.Key[detailPaths]{
		{Name: "code", About: "the upstream's own error code", Read: func(d *detailPaths, n *document.Node) { d.code = c.Paths(n) }},
		{Name: "message", About: "its text", Read: func(d *detailPaths, n *document.Node) { d.message = c.Paths(n) }},
		{Name: "ref", About: "its operation id", Read: func(d *detailPaths, n *document.Node) { d.ref = c.Paths(n) }},
		{Name: "hint", About: "what it proposes", Read: func(d *detailPaths, n *document.Node) { d.hint = c.Paths(n) }},
		{Name: "subject", About: "what the error concerns", Read: func(d *detailPaths, n *document.Node) { d.subject = c.Paths(n) }},
		{Name: "details", About: "further texts", Read: func(d *detailPaths, n *document.Node) { d.details = c.Paths(n) }},
	}
}

func partialKeys(c *normalize.Compiler) []document.Key[partial] {
	keys := []document.Key[partial]{
		{Name: "each", About: "path of the list of failures", Read: func(p *partial, n *document.Node) { p.each = c.Paths(n) }},
		{Name: "if", About: "conditions under which the answer as a whole is incomplete", Read: func(p *partial, n *document.Node) { p.when = new(c.Condition(n)) }},
		{Name: "status", About: "the HTTP status of one failure", Read: func(p *partial, n *document.Node) { p.detail.status = c.Paths(n) }},
	}
	for _, k := range detailKeys(c) {
		if k.Name != "details" {
			keys = append(keys, document.Key[partial]{Name: k.Name, About: k.About, Read: func(p *partial, n *document.Node) { k.Read(&p.detail, n) }})
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
	scope := &normalize.Scope{Status: got.status, Header: got.header, Body: tree}
	root := normalize.At(tree)

	fail := func(kind Kind, step string) (Reply, error) {
		fault := Fail(kind, step, nil)
		fault.Detail = d.response.detail.read(root)
		fault.Detail.Status = got.status
		fault.RetryAfter = d.response.retryAfterOf(kind, got, root, now)
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
	record, kind, message := d.record(root, lookup, v)
	if kind != 0 {
		return fail(kind, message)
	}
	scope.Data = record
	if !d.allEqual(d.response.match, normalize.At(record), v) {
		return fail(Mismatch, "the record is not the one asked for")
	}
	mapped, notes, err := d.mapping.Apply(scope, now)
	if err != nil {
		return fail(Malformed, err.Error())
	}
	if !d.sameIdentifiers(mapped, lookup, v) {
		return fail(Mismatch, "the record's own identifier is not the one asked for")
	}
	return Reply{Record: mapped, Status: got.status, Children: d.children(scope, root), Notes: notes}, nil
}

// record finds the record in the body. A kind other than 0 says why there is none.
func (d *Definition) record(root *normalize.Cursor, lookup *Lookup, v *values) (any, Kind, string) {
	data, ok := d.response.data.First(root)
	if ok {
		var contradicted bool
		if data, contradicted = d.picked(data, lookup, v); contradicted {
			return nil, Mismatch, "no record found agrees with everything that is known of the person"
		}
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

// sameIdentifiers tells whether each identifier that the lookup asked with came
// back as it was, where it came back at all.
func (d *Definition) sameIdentifiers(record normalize.Record, lookup *Lookup, v *values) bool {
	asked := d.identifiersOf(lookup)
	for i, rule := range d.mapping.IDs() {
		if !rule.Check || !contains(asked, rule.Kind) {
			continue
		}
		for _, id := range record.IDs {
			if id.Kind == d.mapping.IDs()[i].Kind && !d.same(id.Kind, id.Value, v.query.IDs[id.Kind]) {
				return false
			}
		}
	}
	return true
}

// children are the upstream's own partial failures.
func (d *Definition) children(scope *normalize.Scope, root *normalize.Cursor) []*Fault {
	p := d.response.partial
	if p == nil {
		return nil
	}
	var children []*Fault
	add := func(at *normalize.Cursor) {
		detail := p.detail.read(at)
		kind := KindOfStatus(detail.Status)
		if detail.Status < 300 {
			kind = Unavailable // a failure that does not say which
		}
		children = append(children, &Fault{Kind: kind, Detail: detail})
	}
	if p.when != nil && p.when.Holds(scope, root) {
		add(root)
	}
	for _, each := range p.each {
		for item := range each.Each(root) {
			add(item)
		}
	}
	return children
}
