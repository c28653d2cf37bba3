package httpapi_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"muster/adapters"
	"muster/gateway"
	"muster/gateway/httpapi"
	"muster/gateway/httpapi/clientcert"
	"muster/normalize"
)

// contract is the document as it is served, checked to be one.
func contract(t *testing.T, h http.Handler) *openapi3.T {
	t.Helper()
	w := do(t, h, http.MethodGet, "/openapi.yaml")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/yaml" {
		t.Fatalf("status %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	document, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	return document
}

// template is Gin's pattern as OpenAPI writes it. To Gin an empty {user} is
// another path, and to everybody else it is not.
func template(pattern string) string {
	steps := strings.Split(pattern, "/")
	for i, step := range steps {
		if name, is := strings.CutPrefix(step, ":"); is {
			steps[i] = "{" + name + "}"
		}
	}
	if path := strings.Join(steps, "/"); !strings.HasSuffix(path, "/users/") {
		return path
	}
	return strings.Join(steps, "/") + "{user}"
}

// TestEveryRouteIsDocumented, and every documented route is served.
func TestEveryRouteIsDocumented(t *testing.T) {
	t.Parallel()
	h := newDoor(&engine{}, httpapi.Options{})
	served := map[string]map[string]bool{}
	for _, route := range h.(*gin.Engine).Routes() {
		path := template(route.Path)
		if served[path] == nil {
			served[path] = map[string]bool{}
		}
		served[path][route.Method] = true
	}
	documented := map[string]map[string]bool{}
	for path, item := range contract(t, h).Paths.Map() {
		documented[path] = map[string]bool{}
		for method := range item.Operations() {
			documented[path][method] = true
			if method == http.MethodGet {
				documented[path][http.MethodHead] = true // as the introduction says
			}
		}
	}
	if diff := cmp.Diff(documented, served); diff != "" {
		t.Errorf("routes (-documented +served):\n%s", diff)
	}
}

// TestMembersAreDocumented: the schemas have the members of the types, and the
// closed sets are those of the engine.
func TestMembersAreDocumented(t *testing.T) {
	t.Parallel()
	schemas := contract(t, newDoor(&engine{}, httpapi.Options{})).Components.Schemas
	for name, typ := range map[string]reflect.Type{
		"PartialAnswer":       reflect.TypeFor[gateway.Answer](),
		"ChildError":          reflect.TypeFor[gateway.ChildError](),
		"SourceResult":        reflect.TypeFor[gateway.SourceResult](),
		"Provider":            reflect.TypeFor[gateway.Description](),
		"Explanation":         reflect.TypeFor[gateway.Explanation](),
		"ExplainedSource":     reflect.TypeFor[gateway.ExplainedSource](),
		"ExplainedIdentifier": reflect.TypeFor[gateway.ExplainedIdentifier](),
		"Decision":            reflect.TypeFor[normalize.Decision](),
		"Claim":               reflect.TypeFor[normalize.Claim](),
		"Profile":             reflect.TypeFor[normalize.Profile](),
		"Name":                reflect.TypeFor[normalize.Name](),
		"Email":               reflect.TypeFor[normalize.Email](),
		"Phone":               reflect.TypeFor[normalize.Phone](),
		"Address":             reflect.TypeFor[normalize.Address](),
		"Organization":        reflect.TypeFor[normalize.Organization](),
		"Group":               reflect.TypeFor[normalize.Group](),
		"Role":                reflect.TypeFor[normalize.Role](),
		"Link":                reflect.TypeFor[normalize.Link](),
		"Identifier":          reflect.TypeFor[normalize.Identifier](),
	} {
		var members []string
		for _, field := range reflect.VisibleFields(typ) {
			if member, _, _ := strings.Cut(field.Tag.Get("json"), ","); member != "-" && field.IsExported() {
				members = append(members, member)
			}
		}
		slices.Sort(members)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(schemas[name].Value.Properties)), members); diff != "" {
			t.Errorf("%s (-documented +sent):\n%s", name, diff)
		}
	}

	var kinds []any
	for _, kind := range adapters.Kinds() {
		kinds = append(kinds, kind.String())
	}
	for name, want := range map[string][]any{
		"Kind":    kinds,
		"Outcome": {string(gateway.OK), string(gateway.Partial), string(gateway.Absent), string(gateway.Unlinked), string(gateway.Skipped), string(gateway.Failed)},
		"From":    {"upstream", "cache", "stale", "shared"},
	} {
		schema := schemas[name].Value
		if diff := cmp.Diff(want, schema.Enum); diff != "" {
			t.Errorf("%s (-engine +documented):\n%s", name, diff)
		}
		explained, _ := schema.Extensions["x-enumDescriptions"].(map[string]any)
		for _, value := range want {
			if explained[fmt.Sprint(value)] == nil {
				t.Errorf("%s: %s is not explained", name, value)
			}
		}
		if len(explained) != len(want) {
			t.Errorf("%s: %d explanations for %d values", name, len(explained), len(want))
		}
	}
}

// closed makes the contract strict: a member that is not documented is a mistake
// of ours, though a client must bear it.
func closed(document *openapi3.T) *openapi3.T {
	for _, schema := range document.Components.Schemas {
		if len(schema.Value.Properties) > 0 {
			schema.Value.AdditionalProperties.Has = ptr(false)
		}
	}
	return document
}

// conforms checks a response against what the contract says of the operation.
func conforms(t *testing.T, document *openapi3.T, path string, r *http.Request, w *httptest.ResponseRecorder) error {
	t.Helper()
	item := document.Paths.Value(path)
	operation := item.GetOperation(r.Method)
	documented := operation.Responses.Status(w.Code)
	if documented == nil {
		documented = operation.Responses.Default()
	}
	for name := range w.Header() {
		known := func(header string) bool { return http.CanonicalHeaderKey(header) == name }
		standard := []string{"Content-Type", "Content-Length", "X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy"}
		if !slices.Contains(standard, name) && !slices.ContainsFunc(slices.Collect(maps.Keys(documented.Value.Headers)), known) {
			return fmt.Errorf("the header %s is not documented for %d", name, w.Code)
		}
	}
	return openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: r, Route: &routers.Route{Spec: document, Path: path, PathItem: item, Method: r.Method, Operation: operation},
		},
		Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
}

// lived is a profile with every member there is, and an answer with every part.
func lived() gateway.Answer {
	a := complete()
	p := a.Data
	fill(reflect.ValueOf(p).Elem())
	a.Sources[0].Notes = []string{"emails: not an e-mail address"}
	a.Sources = append(a.Sources, gateway.SourceResult{Source: "badges", Outcome: gateway.Unlinked, Needs: []string{"email"}})
	a.Provenance = normalize.Provenance{
		"displayName": {Winner: &normalize.Claim{Source: "directory", Value: "Jane"}, Losing: []normalize.Claim{{Source: "badges", Value: "J.", Age: 3}}},
		"emails":      {Agreeing: []normalize.Claim{{Source: "directory", Value: p.Emails}}, Losing: []normalize.Claim{{Source: "badges", Value: p.Emails, By: "directory"}}},
		"active":      {Winner: &normalize.Claim{Source: "directory", Value: true}},
	}
	return a
}

// fill gives every member a value, so that no form of it goes unseen.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("x"), value)
	case reflect.Struct:
		if v.CanAddr() && v.Type().String() == "time.Time" {
			v.Set(reflect.ValueOf(instant()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	}
}

func TestRealAnswersAreAsDocumented(t *testing.T) {
	t.Parallel()
	const lookup, me = "/v1/tenants/{tenant}/users/{user}", "/v1/me"
	const lookups, providers = "/v1/tenants/{tenant}/lookups", "/v1/providers"
	ready := httpapi.NewReadiness()
	e := &engine{}
	h := newDoor(e, httpapi.Options{Ready: ready})
	document := closed(contract(t, h))
	inPart := partial()
	inPart.ChildErrors[0].ModelID, inPart.ChildErrors[0].RetryAfter = ptr("groups"), 0
	passing := func(status int) gateway.Answer {
		a := without(status, childError())
		a.RetryAfter = 1
		return a
	}
	refused := &gateway.RequestError{Status: 400, Title: "Bad request.", Reason: "r", Resolution: "s"}
	noTenant := &gateway.RequestError{Status: 404, Title: "Tenant not found.", Reason: "r", Resolution: "s"}
	type row struct {
		path, target string
		answer       gateway.Answer
		err          error
		status       int
		header       []string
	}
	tests := []row{
		{lookup, jane, complete(), nil, 200, nil},
		{lookup, jane + "?provenance=true", lived(), nil, 200, []string{"Prefer", "handling=strict"}},
		{lookup, jane, partial(), nil, 207, nil},
		{lookup, jane, inPart, nil, 207, nil},
		{lookup, jane, complete(), nil, 304, []string{"If-None-Match", "*"}},
		{lookup, jane, gateway.Answer{}, refused, 400, nil},
		{lookup, jane + "?x", gateway.Answer{}, nil, 400, nil},
		{lookup, jane, gateway.Answer{}, noTenant, 404, nil},
		{lookup, jane, without(404), nil, 404, []string{"Prefer", "handling=strict"}},
		{lookup, jane, complete(), nil, 406, []string{"Accept", "text/html"}},
		{lookup, jane, without(424), nil, 424, nil},
		{lookup, jane, passing(429), nil, 429, nil},
		{lookup, jane, without(502, childError()), nil, 502, nil},
		{lookup, jane, passing(503), nil, 503, []string{"Prefer", "handling=strict"}},
		{lookup, jane, passing(504), nil, 504, nil},
		{lookup, jane + "?fields=" + strings.Repeat("a", 9<<10), complete(), nil, 414, nil},
		{lookup, jane, complete(), nil, 431, []string{"X", strings.Repeat("a", 17<<10)}},
		{lookup, jane, gateway.Answer{}, io.ErrUnexpectedEOF, 500, nil},
		{providers, "/v1/providers", gateway.Answer{}, nil, 200, nil},
		{providers, "/v1/providers?tenant=acme", gateway.Answer{}, nil, 200, nil},
		{providers, "/v1/providers?tenant=acne", gateway.Answer{}, nil, 404, nil},
		{providers, "/v1/providers?x=1", gateway.Answer{}, nil, 400, nil},
		{providers, "/v1/providers", gateway.Answer{}, nil, 406, []string{"Accept", "text/html"}},
		{"/openapi.yaml", "/openapi.yaml", gateway.Answer{}, nil, 200, nil},
		{"/openapi.yaml", "/openapi.yaml", gateway.Answer{}, nil, 304, []string{"If-None-Match", "*"}},
		{"/docs", "/docs", gateway.Answer{}, nil, 200, nil},
		{"/docs", "/docs", gateway.Answer{}, nil, 304, []string{"If-None-Match", "*"}},
		{"/healthz", "/healthz", gateway.Answer{}, nil, 200, nil},
		{"/readyz", "/readyz?verbose", gateway.Answer{}, nil, 503, nil},
	}
	// The same to whoever asks for themselves, and what only callers see.
	i := newIssuing()
	known, unknown := newDoor(e, httpapi.Options{Callers: i.callers(t, true)}), newDoor(e, httpapi.Options{Callers: i.callers(t, false)})
	authorization := "Bearer " + i.token(t, nil)
	limited := newDoor(e, httpapi.Options{Callers: i.callersAt(t, adapters.Rate{Calls: 1, Per: time.Hour}, true)})
	do(t, limited, http.MethodGet, "/v1/providers", "Authorization", authorization)
	for _, test := range slices.Clone(tests) {
		if rest, ok := strings.CutPrefix(test.target, jane); ok {
			test.path, test.target, test.header = me, "/v1/me"+rest, append(slices.Clone(test.header), "Authorization", authorization)
			tests = append(tests, test)
		}
	}
	for path, target := range map[string]string{lookup: jane, me: "/v1/me", providers: "/v1/providers"} {
		foreign := map[string]string{lookup: "/v1/tenants/globex/users/jane", me: "/v1/me?tenant=globex", providers: "/v1/providers?tenant=globex"}[path]
		tests = append(tests,
			row{path, target, gateway.Answer{}, nil, 401, []string{"Authorization", "none"}},
			row{path, target, gateway.Answer{}, nil, 401, []string{"Authorization", "Bearer x"}},
			row{path, target + "?access_token=x", gateway.Answer{}, nil, 401, []string{"Authorization", "Bearer x"}},
			row{path, foreign, gateway.Answer{}, nil, 403, []string{"Authorization", authorization}},
			row{path, target, gateway.Answer{}, nil, 503, []string{"Authorization", authorization, "X-Unknown", "1"}},
			row{path, target, gateway.Answer{}, nil, 429, []string{"Authorization", authorization, "X-Limited", "1"}},
		)
	}
	produced := map[string]bool{}
	for _, test := range tests {
		h := h
		switch {
		case slices.Contains(test.header, "X-Unknown"):
			h = unknown
		case slices.Contains(test.header, "X-Limited"):
			h = limited
		case slices.Contains(test.header, "Authorization"):
			h = known
		}
		for _, accept := range []string{"", "application/problem+json"} {
			if accept != "" && (test.status < 400 || slices.Contains(test.header, "Accept") || test.path == "/readyz") {
				continue
			}
			e.told(test.answer, test.err)
			header := test.header
			if accept != "" {
				header = append(slices.Clone(header), "Accept", accept)
			}
			w := do(t, h, http.MethodGet, test.target, header...)
			if w.Code != test.status {
				t.Errorf("%.80s: status %d, want %d", test.target, w.Code, test.status)
				continue
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			if err := conforms(t, document, test.path, r, w); err != nil {
				t.Errorf("%.80s: %d, Accept %q: %v\n%s", test.target, test.status, accept, err, w.Body)
			}
			produced[fmt.Sprint(test.path, " ", test.status)] = true
		}
	}
	ready.Set(true)
	w := do(t, h, http.MethodGet, "/readyz")
	if err := conforms(t, document, "/readyz", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), w); err != nil {
		t.Error(err)
	}
	produced["/readyz 200"] = true
	batchesOf := func(tenant, what string, h http.Handler, status int, content string, header ...string) {
		t.Helper()
		r := batchRequest(t, "/v1/tenants/"+tenant+"/lookups", content, header...)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		expect(t, what, w.Code, status)
		if err := conforms(t, document, lookups, r, w); err != nil {
			t.Errorf("%s: %v\n%s", what, err, w.Body)
		}
		produced[fmt.Sprint(lookups, " ", w.Code)] = true
	}
	batches := func(what string, h http.Handler, status int, content string, header ...string) {
		t.Helper()
		batchesOf("acme", what, h, status, content, header...)
	}
	const one = `{"users": [{"username": "jane"}]}`
	for _, accept := range []string{"application/json", "application/problem+json"} {
		e.told(lived(), nil)
		batches("all", h, 200, one, "Prefer", "handling=strict", "Accept", accept)
		e.told(partial(), nil)
		batches("in part", h, 207, `{"users": [{"username": "jane"}, 7]}`, "Prefer", "wait=3", "Accept", accept)
		for _, status := range []int{404, 424, 429, 502, 503, 504} {
			e.told(without(status, childError()), nil)
			batches("none", h, 207, one, "Accept", accept)
		}
		batches("syntax", h, 400, "{", "Accept", accept)
		batches("large", h, 413, strings.Repeat(" ", 65<<10), "Accept", accept)
		batches("a form", h, 415, one, "Accept", accept, "Content-Type", "text/plain")
		e.told(gateway.Answer{}, noTenant)
		batches("no tenant", h, 404, one, "Accept", accept)
		e.told(gateway.Answer{}, io.ErrUnexpectedEOF)
		batches("our mistake", h, 500, one, "Accept", accept)
	}
	batches("nobody", known, 401, one)
	batches("somebody", known, 401, one, "Authorization", "Bearer x")
	batchesOf("globex", "a foreign tenant", known, 403, "{", "Authorization", authorization)
	batches("not ready", unknown, 503, one, "Authorization", authorization)
	batches("a page", h, 406, one, "Accept", "text/html")
	const purge = "/v1/tenants/{tenant}/users/{user}/cache"
	left := &gateway.RequestError{Status: 503, Title: "Not all could be forgotten.", Reason: "r", Resolution: "s", RetryAfter: time.Second}
	for status, err := range map[int]error{204: nil, 400: refused, 404: noTenant, 503: left, 500: io.ErrUnexpectedEOF, 406: nil} {
		for _, accept := range []string{"application/json", "application/problem+json"} {
			if status == http.StatusNotAcceptable {
				accept = "text/html"
			}
			e.told(gateway.Answer{}, err)
			w := do(t, h, http.MethodDelete, jane+"/cache", "Accept", accept)
			if w.Code != status {
				t.Errorf("purge: status %d, want %d", w.Code, status)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/", nil)
			if err := conforms(t, document, purge, r, w); err != nil {
				t.Errorf("purge: %d, Accept %q: %v\n%s", status, accept, err, w.Body)
			}
			produced[fmt.Sprint(purge, " ", w.Code)] = true
		}
	}
	// What is told of a scope, and of certificates.
	e.told(gateway.Answer{}, &gateway.RequestError{Status: 403, Title: "Forbidden.", Reason: "To explain needs the scope muster.explain.", Resolution: "r", Scope: gateway.ScopeExplain})
	certificates := new(httpapi.Callers)
	vouches := func(*x509.Certificate) bool { return true }
	holders, err := clientcert.New(clientcert.Options{Vouches: vouches, Holders: []clientcert.Holder{{Name: clientcert.Name{Kind: clientcert.URI, Text: frontendName}, Tenants: []string{"acme"}}}})
	if err != nil {
		t.Fatal(err)
	}
	certificates.Set(nil, holders)
	for status, w := range map[int]*httptest.ResponseRecorder{
		403: do(t, known, http.MethodGet, jane+"?explain=true", "Authorization", authorization),
		401: do(t, newDoor(e, httpapi.Options{Callers: certificates}), http.MethodGet, jane),
	} {
		expect(t, "a challenge", w.Code, status)
		expect(t, "a challenge", w.Header().Get("WWW-Authenticate") != "", true)
		if err := conforms(t, document, lookup, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), w); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
	for status, header := range map[int][]string{401: nil, 403: {"Authorization", authorization}} {
		w := do(t, known, http.MethodDelete, "/v1/tenants/globex/users/jane/cache", header...)
		expect(t, "purge", w.Code, status)
		if err := conforms(t, document, purge, httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/", nil), w); err != nil {
			t.Errorf("purge: %d: %v\n%s", status, err, w.Body)
		}
		produced[fmt.Sprint(purge, " ", w.Code)] = true
	}
	for path, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			for status := range operation.Responses.Map() {
				if status != "default" && !produced[path+" "+status] {
					t.Errorf("%s: nothing shows that there is a %s", path, status)
				}
			}
		}
	}
}

// TestTheCheckCanFail: a member or a value that is not documented is seen.
func TestTheCheckCanFail(t *testing.T) {
	t.Parallel()
	e := &engine{}
	h := newDoor(e, httpapi.Options{})
	document := closed(contract(t, h))
	for name, spoil := range map[string]func(*httptest.ResponseRecorder){
		"another member":  func(w *httptest.ResponseRecorder) { replace(w, `"complete":true`, `"complete":true,"surplus":1`) },
		"a deeper member": func(w *httptest.ResponseRecorder) { replace(w, `"primary":true`, `"primary":true,"surplus":1`) },
		"an outcome":      func(w *httptest.ResponseRecorder) { replace(w, `"outcome":"ok"`, `"outcome":"fine"`) },
		"a status":        func(w *httptest.ResponseRecorder) { replace(w, `"complete":true`, `"complete":false`) },
		"a null":          func(w *httptest.ResponseRecorder) { replace(w, `"userName":"jane"`, `"userName":null`) },
		"no header":       func(w *httptest.ResponseRecorder) { w.Header().Del("Muster-Complete") },
		"another header":  func(w *httptest.ResponseRecorder) { w.Header().Set("X-Powered-By", "x") },
		"a header":        func(w *httptest.ResponseRecorder) { w.Header().Set("Cache-Control", "public") },
		"a type":          func(w *httptest.ResponseRecorder) { w.Header().Set("Content-Type", "text/html") },
	} {
		e.told(complete(), nil)
		w := do(t, h, http.MethodGet, jane)
		spoil(w)
		if err := conforms(t, document, "/v1/tenants/{tenant}/users/{user}", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), w); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func replace(w *httptest.ResponseRecorder, before, after string) {
	text := strings.Replace(w.Body.String(), before, after, 1)
	w.Body = bytes.NewBufferString(text)
}

// TestExamplesOfParametersWork: what the contract shows can be sent.
func TestExamplesOfParametersWork(t *testing.T) {
	t.Parallel()
	e := &engine{}
	h := newDoor(e, httpapi.Options{})
	parameters := contract(t, h).Components.Parameters
	query := fmt.Sprintf("?fields=%s&sources=%s&provenance=true", commas(parameters["fields"]), commas(parameters["sources"]))
	for name, example := range parameters["user"].Value.Examples {
		e.told(complete(), nil)
		w := do(t, h, http.MethodGet, fmt.Sprintf("/v1/tenants/%v/users/%v%s", parameters["tenant"].Value.Example, example.Value.Value, query),
			"Prefer", fmt.Sprint(parameters["Prefer"].Value.Example), "Cache-Control", fmt.Sprint(parameters["Cache-Control"].Value.Example))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: status %d: %s", name, w.Code, w.Body)
		}
		got := e.asked[0]
		if got.User != example.Value.Value || !got.Strict || !got.Provenance || len(got.Fields) != 3 || len(got.Sources) != 2 || got.Want.MaxAge == nil {
			t.Errorf("%s: asked %+v", name, got)
		}
	}
}

func commas(p *openapi3.ParameterRef) string {
	var items []string
	for _, item := range p.Value.Example.([]any) {
		items = append(items, item.(string))
	}
	return strings.Join(items, ",")
}
