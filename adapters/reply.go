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
		document.Of("ok", "conditions that must all hold on a 2xx", c.ConditionType(), func(r *response) *normalize.Condition { return &r.ok }),
		document.Of("data", "where the record is", c.PathsType(), func(r *response) *normalize.Paths { return &r.data }).Or("."),
		document.Of("pick", "of a list of hits, keep those that equal what was asked for", comparisonsType(c), func(r *response) *[]comparison { return &r.pick }),
		document.Of("list", "the record is the whole list", document.Switch(), func(r *response) *bool { return &r.list }).Or("false"),
		document.Of("empty", "what it means that nothing is at data", document.OneOf("malformed", "not_found", "ok"), func(r *response) *string { return &r.empty }).Or("malformed"),
		document.Of("match", "the record must be what was asked for, else mismatch", comparisonsType(c), func(r *response) *[]comparison { return &r.match }),
		document.Of("error", "paths in an error body, for the trace and the log", document.Object(func() []document.Key[detailPaths] { return detailKeys(c) }), func(r *response) *detailPaths { return &r.detail }),
		document.Of("errors", "the first whose conditions hold decides before the HTTP status does", document.Items(document.Object(func() []document.Key[classification] { return classificationKeys(c) })), func(r *response) *[]classification { return &r.errors }),
		document.Of("partial", "the upstream's own partial failures; any item makes the source partial", document.Pointer(partialType(c)), func(r *response) **partial { return &r.partial }),
		document.Of("retry_after", "where the upstream says when to come back, the first place that says it; without it the header Retry-After", document.OneOrMore(retryAfterType(c)), func(r *response) *[]retryAfter { return &r.retryAfter }),
	}
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

func partialType(c *normalize.Compiler) document.Type[partial] {
	return document.Object(func() []document.Key[partial] { return partialKeys(c) }).With(func(_ partial, n *document.Node) {
		if n.Kind() == document.Mapping && (n.Field("each") == nil) == (n.Field("if") == nil) {
			n.Errorf("exactly one of each and if is needed here").Suggest("each: PATH is the list of failures; if: CONDITIONS holds of a reply that is cut")
		}
	})
}

func partialKeys(c *normalize.Compiler) []document.Key[partial] {
	keys := []document.Key[partial]{
		document.Of("each", "path of the list of failures", c.PathsType(), func(p *partial) *normalize.Paths { return &p.each }).UnlessGiven("if"),
		document.Of("if", "conditions under which the answer as a whole is incomplete; in place of each", document.Pointer(c.ConditionType()), func(p *partial) **normalize.Condition { return &p.when }),
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
// is a *Fault, and then nothing of the reply is used. The notes are those of the
// reply, with the words of the definition that they are about.
func (d *Definition) interpret(got received, lookup *Lookup, v *values, now time.Time) (Reply, []normalize.Note, error) {
	tree, parseErr := normalize.ParseJSON(got.body)
	scope := &normalize.Scope{Status: got.status, Header: got.header, Body: tree}
	root := normalize.At(tree)

	fail := func(kind Kind, step string) (Reply, []normalize.Note, error) {
		fault := Fail(kind, step, nil)
		fault.Detail = d.detail(root)
		fault.Detail.Status = got.status
		fault.RetryAfter = d.response.retryAfterOf(kind, got, root, now)
		return Reply{}, nil, fault
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
	scope.Asked = d.asked(lookup, v)
	mapped, notes, err := d.mapping.Apply(scope, now)
	if err != nil {
		return fail(Malformed, err.Error())
	}
	if !d.sameIdentifiers(mapped, lookup, v) {
		return fail(Mismatch, "the record's own identifier is not the one asked for")
	}
	if len(d.askedWith(lookup, v)) == 0 && !d.compared(record, mapped, v) {
		return fail(Mismatch, "nothing in the record tells that it is the person's who was asked for")
	}
	return Reply{Record: mapped, Status: got.status, Children: d.children(scope, root), Notes: normalize.NoteTexts(notes)}, notes, nil
}

// detail is what an error body says, less what the definition masks: it goes to the
// trace and the log.
func (d *Definition) detail(root *normalize.Cursor) Detail {
	if len(d.redact) > 0 {
		root = normalize.At(d.redacted(root.Value))
	}
	return d.response.detail.read(root)
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

// asked tells of a kind of identifier that the lookup was sent with which value is
// the one: who has several is asked for by any of them.
func (d *Definition) asked(lookup *Lookup, v *values) func(kind string) func(value string) bool {
	kinds := d.askedWith(lookup, v)
	return func(kind string) func(value string) bool {
		if !slices.Contains(kinds, kind) {
			return nil
		}
		return func(value string) bool { return d.same(kind, value, v.query.IDs[kind]) }
	}
}

// sameIdentifiers tells whether each identifier that the lookup asked with came
// back as it was, where it came back at all.
func (d *Definition) sameIdentifiers(record normalize.Record, lookup *Lookup, v *values) bool {
	asked := d.askedWith(lookup, v)
	for i, rule := range d.mapping.IDs() {
		if !rule.Check || !slices.Contains(asked, rule.Kind) {
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
