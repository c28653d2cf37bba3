package adapters

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/normalize"
)

// Recorder keeps what one source is asked, sends and receives, for whoever
// operates it. It holds secrets and people: it gives nothing out by itself, and
// what is shown of it is masked by the Source that it recorded. It is safe for
// concurrent use.
type Recorder struct {
	mu        sync.Mutex
	exchanges []*recordedCall
	query     Query
	fault     *Fault
	begun     bool
	ended     bool
}

// recordedCall is one request and what came back.
type recordedCall struct {
	token   bool
	request *http.Request
	sent    []byte
	began   time.Time
	took    time.Duration // 0 while it is under way
	status  int           // 0 where no reply came
	header  http.Header
	body    []byte
	whole   bool // the body came to its end
	err     error
}

// Wrap records what passes a transport, and changes nothing of it.
func (r *Recorder) Wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		e := &recordedCall{token: forToken(request.Context()), request: request, began: time.Now()}
		if request.GetBody != nil {
			if body, err := request.GetBody(); err == nil {
				e.sent, _ = io.ReadAll(body) // of memory, which does not fail
			}
		}
		r.change(func() { r.exchanges = append(r.exchanges, e) })
		response, err := next.RoundTrip(request)
		r.change(func() {
			if e.err = err; err != nil {
				e.took = time.Since(e.began)
				return
			}
			e.status, e.header = response.StatusCode, response.Header
			response.Body = &recordedBody{ReadCloser: response.Body, recorder: r, exchange: e}
		})
		return response, err
	})
}

// Watch records the query and how it went.
func (r *Recorder) Watch(next Adapter) Adapter {
	return AdapterFunc(func(ctx context.Context, q Query) (Reply, error) {
		r.change(func() { r.query, r.begun, r.ended = q, true, false })
		reply, err := next.Fetch(ctx, q)
		r.change(func() { r.fault, r.ended = FaultOf(err), true })
		return reply, err
	})
}

// Awaited tells whether the source has been asked and has not answered yet.
func (r *Recorder) Awaited() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun && !r.ended
}

// Fault is why the source failed, nil where it did not.
func (r *Recorder) Fault() *Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

func (r *Recorder) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// recordedBody keeps what is read of a body. The reader's own limit bounds it.
type recordedBody struct {
	io.ReadCloser
	recorder *Recorder
	exchange *recordedCall
}

func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.recorder.change(func() {
		b.exchange.body = append(b.exchange.body, p[:n]...)
		if err != nil {
			b.exchange.whole = err == io.EOF //nolint:errorlint // a Reader returns it as it is
			b.exchange.took = time.Since(b.exchange.began)
		}
	})
	return n, err
}

func (b *recordedBody) Close() error {
	b.recorder.change(func() {
		if b.exchange.took == 0 {
			b.exchange.took = time.Since(b.exchange.began)
		}
	})
	return b.ReadCloser.Close()
}

// tokenMark marks the context of a request for a token.
type tokenMark struct{}

func markToken(ctx context.Context) context.Context {
	return context.WithValue(ctx, tokenMark{}, true)
}

func forToken(ctx context.Context) bool { return ctx.Value(tokenMark{}) != nil }

// Exchange is a request that was sent and its reply, in a form that its operator
// may see: it has the person, and no secret.
type Exchange struct {
	Token  bool     // it was for a token; its bodies are never shown
	Method string   // of the request, as
	URL    string   // is this
	Header []string // NAME: VALUE, by name
	Status int      // 0 where no reply came
	Bytes  int      // of the reply's body, as far as it was read
	Took   time.Duration
	Failed string // why no reply came; "" where one did, or is still awaited
	// Sent and Body are the bodies of the request and of the reply, as JSON laid
	// out, with the definition's `redact` masked; "" where there is none to show.
	Sent, Body string
}

// Exchanges is what a recorder has of the source, in the order sent.
func (s *Source) Exchanges(r *Recorder) []Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	hide := s.mask(r)
	shown := make([]Exchange, 0, len(r.exchanges))
	for _, e := range r.exchanges {
		x := Exchange{
			Token: e.token, Method: e.request.Method, URL: hide.Replace(s.shownURL(e)), Header: s.shownHeader(e.request.Header, hide),
			Status: e.status, Bytes: len(e.body), Took: e.took,
		}
		if x.Took == 0 {
			x.Took = time.Since(e.began)
		}
		if e.err != nil {
			x.Failed = hide.Replace(e.err.Error())
		}
		if !e.token {
			x.Sent, x.Body = s.shownSent(e, hide), s.shownBody(e.body, hide)
		}
		shown = append(shown, x)
	}
	return shown
}

// Why says why the source failed, in our words and, of the upstream's, with its code
// and its operation; "" where it did not.
func (s *Source) Why(r *Recorder) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault == nil {
		return ""
	}
	said := r.fault.Error()
	if r.fault.Detail.Code != "" {
		said += ", its code " + r.fault.Detail.Code
	}
	if r.fault.Detail.Ref != "" {
		said += ", its operation " + r.fault.Detail.Ref
	}
	if r.fault.RetryAfter > 0 {
		said += ", to be asked again in " + r.fault.RetryAfter.Round(time.Second).String()
	}
	return s.mask(r).Replace(said)
}

// shownURL is the address of a request. In a token request every parameter may be
// the credential.
func (s *Source) shownURL(e *recordedCall) string {
	address := *e.request.URL
	if address.RawQuery == "" {
		return address.String()
	}
	pairs := strings.Split(address.RawQuery, "&")
	for i, pair := range pairs {
		if name, _, secret := secretPair(e, pair); secret {
			pairs[i] = name + "=" + masked
		}
	}
	address.RawQuery = ""
	return address.String() + "?" + strings.Join(pairs, "&")
}

// shownHeader are the lines of a header. Of what carries the credential nothing
// is shown but the scheme.
func (s *Source) shownHeader(header http.Header, hide *strings.Replacer) []string {
	var lines []string
	for name, values := range header {
		credential := s.isCredential(name)
		for _, value := range values {
			scheme, _, spaced := strings.Cut(value, " ")
			switch {
			case credential && spaced && slices.Contains([]string{"Basic", "Bearer"}, scheme):
				value = scheme + " " + masked
			case credential:
				value = masked
			default:
				value = hide.Replace(value)
			}
			lines = append(lines, name+": "+value)
		}
	}
	slices.Sort(lines)
	return lines
}

// shownSent is the body of a request; of a form, as an object of its parameters.
func (s *Source) shownSent(e *recordedCall, hide *strings.Replacer) string {
	if e.request.Header.Get("Content-Type") != mediaForm {
		return s.shownBody(e.sent, hide)
	}
	tree, err := bodyTree(mediaForm, e.sent)
	parameters, ok := tree.(map[string]any)
	if err != nil || !ok {
		return ""
	}
	for name := range parameters {
		if soundsSecret.MatchString(name) {
			parameters[name] = masked
		}
	}
	return jsonText(shownTree(parameters, hide), "  ")
}

// shownBody lays a body out, masked. What is not JSON is not shown: nobody knows
// where in it a secret would stand.
func (s *Source) shownBody(body []byte, hide *strings.Replacer) string {
	tree, err := normalize.ParseJSON(body)
	if err != nil {
		return ""
	}
	return jsonText(shownTree(s.definition.redacted(tree), hide), "  ")
}

// shownTree is a tree without any secret that the upstream may have sent back.
func shownTree(v any, hide *strings.Replacer) any {
	switch v := v.(type) {
	case map[string]any:
		members := make(map[string]any, len(v))
		for name, member := range v {
			members[hide.Replace(name)] = shownTree(member, hide)
		}
		return members
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = shownTree(item, hide)
		}
		return items
	case string:
		return hide.Replace(v)
	case normalize.Number:
		if hide.Replace(string(v)) != string(v) {
			return masked
		}
		return v
	case normalize.Ambiguous:
		return "<said twice>"
	default:
		return v
	}
}

// jsonText is a tree as people read it: encoding/json
// by itself escapes what pages must not have.
func jsonText(v any, indent string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// mask replaces each secret of the source, and whatever was sent or got as a
// credential.
func (s *Source) mask(r *Recorder) *strings.Replacer {
	secrets := s.secrets()
	for _, e := range r.exchanges {
		secrets = append(secrets, s.credentials(e)...)
	}
	return maskOf(secrets)
}

// last is the exchange that the source's outcome was made of: the last that asked
// for the person and got a whole reply; nil where there is none.
func (r *Recorder) last() *recordedCall {
	for _, e := range slices.Backward(r.exchanges) {
		if !e.token {
			if e.status == 0 || !e.whole && len(bytes.TrimSpace(e.body)) > 0 {
				return nil
			}
			return e
		}
	}
	return nil
}

// Query is what the source was asked with; the zero Query where it was not.
func (r *Recorder) Query() Query {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.query
}
