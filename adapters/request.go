package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"muster/config/document"
	"muster/normalize"
)

// Lookup is one way of asking an upstream: a method and an address with
// placeholders. A definition may have several; the first whose identifiers are
// at hand is sent.
type Lookup struct {
	method string
	host   template
	path   []template // one per segment
	query  []parameter
}

// parameter is a named template: of a query, a form or a header.
type parameter struct {
	name  string
	value template
}

// endpointType is how a method and an address are written.
func endpointType(in, host spaces) document.Type[Lookup] {
	form := document.Matching("METHOD https://…, GET where no method stands", "^((GET|POST) )?https://").Like("GET https://{settings.host}/users/{id.self}")
	return document.Type[Lookup]{Form: form, Read: func(into *Lookup, n *document.Node) { *into = parseEndpoint(n, in, host) }}
}

// parseEndpoint parses "METHOD https://host/path?query" (GET when no method stands).
func parseEndpoint(n *document.Node, in spaces, host spaces) Lookup {
	text := n.Text()
	if n.Kind() != document.Scalar { // which has been reported
		return Lookup{}
	}
	lookup := Lookup{method: http.MethodGet}
	address, offset := text, 0
	if method, rest, ok := strings.Cut(text, " "); ok {
		lookup.method, address, offset = method, rest, len(method)+1
	}
	if lookup.method != http.MethodGet && lookup.method != http.MethodPost {
		n.ErrorfAt(0, len(lookup.method), "a lookup is a GET or a POST, not %q", lookup.method).Suggest("write GET https://…")
	}
	const scheme = "https://"
	if !strings.HasPrefix(address, scheme) {
		n.ErrorfAt(offset, max(1, strings.Index(address+"/", "/")), "the address must begin with https://").
			Suggest("a test server can be reached over plain HTTP by egress.connect in the gateway's file")
		return lookup
	}
	address, offset = address[len(scheme):], offset+len(scheme)

	authority, rest, _ := strings.Cut(address, "/")
	lookup.host = parseTemplate(n, authority, offset, host)
	if well := lookup.host != nil || authority == ""; well && !Fits("host", anyPlaceholder.ReplaceAllString(authority, "x")) {
		n.ErrorfAt(offset, max(1, len(authority)), "not a host: %q", authority)
	}
	offset += len(authority) + 1

	path, query, _ := strings.Cut(rest, "?")
	lookup.path = parsePathSegments(n, path, offset, in)
	offset += len(path) + 1
	lookup.query = parseQueryText(n, query, offset, in)
	return lookup
}

// anyPlaceholder finds what will be filled in, right or wrong.
var anyPlaceholder = regexp.MustCompile(`\{[^{}]*\}`)

var literalSegment = regexp.MustCompile(`^([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*$`)

func parsePathSegments(n *document.Node, path string, offset int, in spaces) []template {
	var segments []template
	for _, text := range strings.Split(path, "/") {
		segment := parseTemplate(n, text, offset, in)
		for _, part := range segment {
			if !literalSegment.MatchString(part.literal) {
				n.ErrorfAt(offset, len(text), "%q has characters that a path does not allow", part.literal).Suggest("percent-encode them")
			}
		}
		if plain, err := url.PathUnescape(text); err == nil && isDots(plain) { // %2e is a dot to whoever decodes it
			n.ErrorfAt(offset, len(text), "the segment %q %v", text, errDots)
		}
		segments = append(segments, segment)
		offset += len(text) + 1
	}
	return segments
}

func parseQueryText(n *document.Node, query string, offset int, in spaces) []parameter {
	var parameters []parameter
	if query == "" {
		return nil
	}
	for _, pair := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		p := parameter{name, parseTemplate(n, value, offset+len(name)+1, in)}
		p.name = decoded(n, p.name, offset, len(pair))
		for i := range p.value {
			p.value[i].literal = decoded(n, p.value[i].literal, offset, len(pair))
		}
		parameters = append(parameters, p)
		offset += len(pair) + 1
	}
	return parameters
}

// decoded is what a part of an address's query stands for: all of a query is
// encoded when it is sent, and what an author has encoded must not be so twice.
func decoded(n *document.Node, literal string, offset, width int) string {
	text, err := url.QueryUnescape(literal)
	if err != nil {
		n.ErrorfAt(offset, width, "%q has a percent sign that encodes nothing", literal).Suggest("write %%25 for the sign itself")
	}
	return text
}

func parameters(in spaces) document.Type[[]parameter] {
	return document.Type[[]parameter]{Form: document.NamesOf(in.form()), Read: func(into *[]parameter, n *document.Node) { *into = parseParameters(n, in) }}
}

func headers(in spaces) document.Type[[]parameter] {
	return document.Type[[]parameter]{Form: document.NamesOf(in.form()), Read: func(into *[]parameter, n *document.Node) { *into = parseHeaders(n, in) }}
}

func jsonBody(in spaces) document.Type[body] {
	return document.Type[body]{Form: document.Form{About: "whatever JSON holds; " + in.form().About + " in its texts"}, Read: func(into *body, n *document.Node) { *into = parseBody(n, in) }}
}

// parseParameters reads a mapping of names to templates.
func parseParameters(n *document.Node, in spaces) []parameter {
	var parameters []parameter
	for _, f := range n.Fields() {
		parameters = append(parameters, parameter{f.Key.Text(), parseTemplate(f.Value, f.Value.Text(), 0, in)})
	}
	return parameters
}

// parseHeaders reads the names and values of headers, and refuses what no header
// can carry: a request with it would never be sent.
func parseHeaders(n *document.Node, in spaces) []parameter {
	headers := parseParameters(n, in)
	for i, h := range headers {
		f := n.Fields()[i]
		if !normalize.HeaderName(h.name) {
			f.Key.Errorf("not a header's name: %q", h.name).Suggest("letters, digits and hyphens")
		}
		for _, part := range h.value {
			if _, err := clean(part.literal); err != nil {
				f.Value.Errorf("the value of the header %q %v", h.name, err)
			}
		}
	}
	return headers
}

// body is a JSON body with placeholders inside its strings. It is kept as a
// tree, so that a value can never break out of its string.
type body struct {
	text   template        // a string
	raw    json.RawMessage // any other scalar
	list   []body          // an array
	fields []bodyField     // an object
	kind   document.Kind   // which of them it is; Null is JSON null
}

type bodyField struct {
	name  string
	value body
}

func parseBody(n *document.Node, in spaces) body {
	b := body{kind: n.Kind()}
	switch n.Kind() {
	case document.Scalar:
		if n.IsText() {
			b.text = parseTemplate(n, n.Text(), 0, in)
			return b
		}
		raw, err := n.JSON()
		if err != nil {
			n.Errorf("%q is not a value that JSON knows", n.Text())
		}
		b.raw = raw
	case document.List:
		for _, item := range n.Items() {
			b.list = append(b.list, parseBody(item, in))
		}
	case document.Mapping:
		for _, f := range n.Fields() {
			b.fields = append(b.fields, bodyField{f.Key.Text(), parseBody(f.Value, in)})
		}
	}
	return b
}

// templates are all templates within the body.
func (b *body) templates() []template {
	var all []template
	if b.text != nil {
		all = append(all, b.text)
	}
	for i := range b.list {
		all = append(all, b.list[i].templates()...)
	}
	for i := range b.fields {
		all = append(all, b.fields[i].value.templates()...)
	}
	return all
}

func (b *body) render(out *bytes.Buffer, v *values) error {
	quote := func(text string) error {
		quoted, err := json.Marshal(text)
		out.Write(quoted)
		return err
	}
	switch {
	case b.kind == document.List:
		out.WriteByte('[')
		for i := range b.list {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := b.list[i].render(out, v); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	case b.kind == document.Mapping:
		out.WriteByte('{')
		for i := range b.fields {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := quote(b.fields[i].name); err != nil {
				return err
			}
			out.WriteByte(':')
			if err := b.fields[i].value.render(out, v); err != nil {
				return err
			}
		}
		out.WriteByte('}')
	case b.kind == document.Null:
		out.WriteString("null")
	case b.raw != nil:
		out.Write(b.raw)
	default:
		text, err := b.text.render(v, clean)
		if err != nil {
			return err
		}
		return quote(text)
	}
	return nil
}

// templates are all templates of the lookup's own address.
func (l *Lookup) templates() []template {
	all := append([]template{l.host}, l.path...)
	for _, p := range l.query {
		all = append(all, p.value)
	}
	return all
}

var errDots = errors.New("would leave its place in the path")

// isDots tells whether a segment means this folder or the one above (RFC 3986, 3.3).
func isDots(segment string) bool { return segment == "." || segment == ".." }

// segment percent-encodes everything but RFC 3986's unreserved characters.
func segment(value string) (string, error) {
	if isDots(value) {
		return "", errDots
	}
	if _, err := clean(value); err != nil {
		return "", err
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(value) {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String(), nil
}

func hostPart(value string) (string, error) {
	if !Fits("host", value) {
		return "", errors.New("is not a host")
	}
	return value, nil
}

// url renders the address.
func (l *Lookup) url(v *values, extra []parameter) (*url.URL, error) {
	host, err := l.host.render(v, hostPart)
	if err != nil {
		return nil, err
	}
	if !Fits("host", host) {
		return nil, unfitError{reference{space: "settings", name: "host"}, "does not make a host"}
	}
	var path, escaped strings.Builder
	for _, s := range l.path {
		text, err := s.render(v, segment)
		if err != nil {
			return nil, err
		}
		plain, err := url.PathUnescape(text)
		if err != nil {
			return nil, errDots
		}
		path.WriteString("/" + plain)
		escaped.WriteString("/" + text)
	}
	query, err := renderQuery(v, slices.Concat(l.query, extra))
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: "https", Host: host, Path: path.String(), RawPath: escaped.String(), RawQuery: query}, nil
}

// renderQuery form-encodes the parameters in their order. One whose value is
// absent is left out.
func renderQuery(v *values, parameters []parameter) (string, error) {
	var b strings.Builder
	for _, p := range parameters {
		text, err := p.value.render(v, clean)
		if missing := (absentError{}); errors.As(err, &missing) {
			continue
		}
		if err != nil {
			return "", err
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.name) + "=" + url.QueryEscape(text))
	}
	return b.String(), nil
}

// request builds what is sent for a lookup, without the credential.
func (d *Definition) request(l *Lookup, v *values) (*http.Request, error) {
	address, err := l.url(v, d.query)
	if err != nil {
		return nil, err
	}
	content, mediaType, err := d.content(v)
	if err != nil {
		return nil, err
	}
	request := newRequest(l.method, address)
	if mediaType != "" {
		setBody(request, content, mediaType)
	}
	for _, h := range d.headers {
		text, err := h.value.render(v, clean)
		if missing := (absentError{}); errors.As(err, &missing) {
			continue
		}
		if err != nil {
			return nil, err
		}
		request.Header.Set(h.name, text)
	}
	return request, nil
}

// newRequest is a request without a body, as every one of ours begins.
func newRequest(method string, address *url.URL) *http.Request {
	return &http.Request{
		Method: method, URL: address, Host: address.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Accept": {"application/json"}, "User-Agent": {"muster"}},
	}
}

// The media types of bodies.
const (
	mediaJSON = "application/json"
	mediaForm = "application/x-www-form-urlencoded"
)

// content is the body of a lookup's request and its media type, "" for none.
func (d *Definition) content(v *values) (content []byte, mediaType string, err error) {
	switch {
	case d.form != nil:
		text, err := renderQuery(v, d.form)
		return []byte(text), mediaForm, err
	case d.body != nil:
		var b bytes.Buffer
		err := d.body.render(&b, v)
		return b.Bytes(), mediaJSON, err
	default:
		return nil, "", nil
	}
}

func setBody(r *http.Request, content []byte, mediaType string) {
	r.Header.Set("Content-Type", mediaType)
	r.ContentLength = int64(len(content))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	r.Body, _ = r.GetBody() // of memory, which does not fail
}
