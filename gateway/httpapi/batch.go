package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"muster/gateway"
	"muster/gateway/audit"
)

const likeThis = `For example {"users": [{"email": "jane@acme.example"}], "fields": ["emails"]}.`

// lookups serves several people at once.
func (d *door) lookups(c *gin.Context) {
	p := readParameters(c.Request.URL.RawQuery, "provenance", "explain")
	q := gateway.Query{
		Tenant:      p.segment(c.Param("tenant")),
		Provenance:  p.flag("provenance"),
		Explain:     p.flag("explain"),
		Want:        want(c.Request.Header.Values("Cache-Control")),
		OperationID: operationOf(c),
		Caller:      callerOf(c),
	}
	live := d.engine.Live()
	if _, refused := live.TenantFor(q.Caller, q.Tenant); refused != nil { // before all else
		d.turnAway(c, audit.Lookup, q, refused)
		return
	}
	if p.refused != nil {
		d.turnAway(c, audit.Lookup, q, p.refused)
		return
	}
	body, refused := readBody(c)
	if refused != nil {
		d.turnAway(c, audit.Lookup, q, refused)
		return
	}
	asked, refused := readBatch(body)
	if refused != nil {
		d.turnAway(c, audit.Lookup, q, refused)
		return
	}
	if !d.spend(c, q.Tenant, len(asked.users)-1) { // one has been metered
		return
	}
	allow(c, live.BatchTime())
	q.Fields, q.Sources = asked.fields, asked.sources
	preferred := prefer(c, &q)
	results, err := d.engine.Lookups(c.Request.Context(), q, asked.ids())
	if err != nil {
		d.fail(c, err)
		return
	}
	preferred.echo(c)
	d.respondToBatch(c, asked, results)
}

// batchAnswer is the document of a batch.
type batchAnswer struct {
	OperationID string `json:"operationId"`
	Results     []any  `json:"results"` // answered or refused, in the order asked
}

// answered is the document of a lookup as it stands in a batch, and refused what
// stands there where it has no profile.
type answered struct {
	Status int `json:"status"`
	*gateway.Answer
}

type refused struct {
	Status int `json:"status"`
	refusal
}

// respondToBatch sends what came of everybody. It is no document that a client could
// keep: nobody could ask for it again by its address.
func (d *door) respondToBatch(c *gin.Context, asked *batch, results []gateway.Result) {
	document := batchAnswer{OperationID: operationOf(c), Results: make([]any, len(results))}
	status := http.StatusOK
	logged := map[error]bool{} // the same stands at every place of a person
	for i := range results {
		r := &results[i]
		own := asked.users[i].refused
		switch {
		case own != nil:
		case r.Err != nil && !errors.As(r.Err, &own):
			if !logged[r.Err] {
				logged[r.Err] = true
				d.logFailure(c, r.Err)
			}
			own = internal()
		}
		switch {
		case own != nil:
			document.Results[i] = refused{own.Status, refusalOf(own).of(document.OperationID)}
		case r.Answer.Data == nil:
			document.Results[i] = refused{r.Answer.Status, refusalOfAnswer(&r.Answer).of(document.OperationID)}
		default:
			document.Results[i] = answered{r.Answer.Status, &r.Answer}
		}
		if own != nil || r.Answer.Status != http.StatusOK {
			status = http.StatusMultiStatus
		}
	}
	h := c.Writer.Header()
	h.Add("Vary", varies)
	h.Set("Cache-Control", noStore)
	h.Set("Muster-Complete", strconv.FormatBool(status == http.StatusOK))
	send(c, status, mediaJSON, document)
}

// readBody reads the body of a request, which must be JSON and not too long.
func readBody(c *gin.Context) ([]byte, *gateway.RequestError) {
	r := c.Request
	mediaType, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := parameters["charset"]
	coded := slices.ContainsFunc(elements(r.Header.Values("Content-Encoding"), ','), func(coding string) bool { return !strings.EqualFold(coding, "identity") })
	switch {
	case err != nil || mediaType != mediaJSON || charset != "" && !strings.EqualFold(charset, "utf-8"):
		return nil, unsupported("The body is not said to be application/json.", "Send Content-Type: application/json, and the body in UTF-8.")
	case coded:
		return nil, unsupported("The body has a content coding.", "Send it without Content-Encoding.")
	}
	body, err := io.ReadAll(r.Body)
	switch tooLong := (*http.MaxBytesError)(nil); {
	case errors.As(err, &tooLong):
		return nil, tooLarge()
	case err != nil:
		return nil, unreadable(likeThis, "The body did not arrive as a whole.")
	}
	return body, nil
}

func unsupported(reason, resolution string) *gateway.RequestError {
	return &gateway.RequestError{Status: http.StatusUnsupportedMediaType, Title: "Unsupported media type.", Reason: reason, Resolution: resolution}
}

func unreadable(resolution, reason string, args ...any) *gateway.RequestError {
	return &gateway.RequestError{Status: http.StatusBadRequest, Title: "Bad request.", Reason: fmt.Sprintf(reason, args...), Resolution: resolution}
}

// batch is what the body of a batch asks for.
type batch struct {
	users           []user
	fields, sources []string // nil for all
}

// user is one of a batch, or why it cannot be read.
type user struct {
	ids     map[string]string // by kind
	refused *gateway.RequestError
}

// ids are what the users are called; nothing for who cannot be read.
func (b *batch) ids() []map[string]string {
	all := make([]map[string]string, len(b.users))
	for i := range b.users {
		all[i] = b.users[i].ids
	}
	return all
}

// readBatch reads the body of a batch. What is wrong with one user stands at its
// place; anything else is a mistake of the whole. Nothing that the caller sent is
// repeated: it may be a person.
func readBatch(body []byte) (*batch, *gateway.RequestError) {
	r := &bodyReader{body: body, tokens: jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))}
	b := r.batch()
	if r.refused != nil {
		return nil, r.refused
	}
	return b, nil
}

// bodyReader reads a body; the first thing that is wrong is told in refused.
type bodyReader struct {
	body    []byte
	tokens  *jsontext.Decoder
	refused *gateway.RequestError
}

func (r *bodyReader) refuse(resolution, reason string, args ...any) {
	if r.refused == nil {
		r.refused = unreadable(resolution, reason, args...)
	}
}

// next is the next token; ok tells that there is one.
func (r *bodyReader) next() (token jsontext.Token, ok bool) {
	if r.refused != nil {
		return token, false
	}
	token, err := r.tokens.ReadToken()
	return token, r.well(err)
}

// well tells that there was no mistake of syntax, and refuses where there was.
func (r *bodyReader) well(err error) bool {
	if err == nil {
		return true
	}
	offset := int64(len(r.body))
	if wrong := (*jsontext.SyntacticError)(nil); errors.As(err, &wrong) {
		offset = min(offset, wrong.ByteOffset)
	}
	before := r.body[:offset]
	r.refuse(likeThis, "The body is not JSON: see line %d, column %d.", bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n'))
	return false
}

func (r *bodyReader) batch() *batch {
	b := new(batch)
	if len(bytes.TrimSpace(r.body)) == 0 {
		r.refuse(likeThis, "The body is empty.")
		return b
	}
	if first, ok := r.next(); ok && first.Kind() != jsontext.KindBeginObject {
		r.refuse(likeThis, "The body is no JSON object.")
	}
	seen := map[string]bool{}
	for {
		token, ok := r.next()
		if !ok {
			return b
		}
		if token.Kind() == jsontext.KindEndObject {
			break
		}
		name := token.String()
		switch name {
		case "users":
			b.users = r.users()
		case "fields":
			b.fields = r.names(name)
		case "sources":
			b.sources = r.names(name)
		default:
			r.refuse("Use: users, fields, sources.", "The body has a member that is not known.")
		}
		if seen[name] {
			r.refuse("Give it once.", "The body has the member %s twice.", name)
		}
		seen[name] = true
	}
	if _, err := r.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		r.refuse("Send one JSON object and nothing else.", "The body goes on after its end.")
	}
	if !seen["users"] {
		r.refuse(likeThis, "The body has no users.")
	}
	return b
}

// list reads the items of a list, each with its place.
func (r *bodyReader) list(name string, item func(i int)) {
	begin, ok := r.next()
	if ok && begin.Kind() != jsontext.KindBeginArray {
		r.refuse(likeThis, "%s is no list.", name)
	}
	for i := 0; r.refused == nil; i++ {
		if r.tokens.PeekKind() == jsontext.KindEndArray {
			r.next()
			return
		}
		item(i)
	}
}

// names reads a list of names.
func (r *bodyReader) names(name string) []string {
	names := []string{}
	r.list(name, func(i int) {
		token, ok := r.next()
		switch {
		case ok && token.Kind() != jsontext.KindString:
			r.refuse("Give names as texts.", "%s[%d] is no text.", name, i)
		case ok && token.String() == "":
			r.refuse("Give it a name, or leave it out.", "%s[%d] is empty.", name, i)
		case ok:
			names = append(names, token.String())
		}
	})
	if len(names) == 0 {
		r.refuse("Leave it out for all.", "%s is an empty list.", name)
	}
	return names
}

func (r *bodyReader) users() []user {
	var users []user
	r.list("users", func(int) {
		value, err := r.tokens.ReadValue()
		if r.well(err) {
			users = append(users, readUser(value))
		}
	})
	return users
}

// readUser reads one user, of JSON that is well formed.
func readUser(value jsontext.Value) user {
	const byKind = `Call a user by kind and value, for example {"email": "jane@acme.example"}.`
	ids := map[string]string{}
	tokens := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
	if tokens.PeekKind() != jsontext.KindBeginObject {
		return user{refused: unreadable(byKind, "The user is no object.")}
	}
	for _, err := tokens.ReadToken(); err == nil && tokens.PeekKind() == jsontext.KindString; {
		var kind, text jsontext.Token
		if kind, err = tokens.ReadToken(); err != nil {
			break
		}
		name := kind.String()
		if tokens.PeekKind() != jsontext.KindString {
			return user{refused: unreadable(byKind, "The user has an identifier that is no text.")}
		}
		if text, err = tokens.ReadToken(); err != nil {
			break
		}
		if _, twice := ids[name]; twice {
			return user{refused: unreadable("Look the person up by one of them.", "The user has two identifiers of one kind.")}
		}
		ids[name] = text.String()
	}
	return user{ids: ids}
}
