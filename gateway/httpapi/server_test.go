package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/gateway"
	"muster/gateway/audit"
	"muster/gateway/httpapi"
	"muster/normalize"
)

// echo says back whom it was asked for.
type echo struct{}

func (echo) Lookup(_ context.Context, q gateway.Query) (gateway.Answer, error) {
	return gateway.Answer{Status: http.StatusOK, OperationID: q.OperationID, ETag: "e", Data: &normalize.Profile{UserName: q.User}}, nil
}

func (e echo) Lookups(ctx context.Context, q gateway.Query, users []map[string]string) ([]gateway.Result, error) {
	results := make([]gateway.Result, len(users))
	for i, ids := range users {
		q.User = ids["username"]
		results[i].Answer, results[i].Err = e.Lookup(ctx, q)
	}
	return results, nil
}
func (echo) Purge(context.Context, gateway.Query) error { return nil }

func (echo) Refuse(_ context.Context, _ audit.Action, _ gateway.Query, refused *gateway.RequestError) error {
	return refused
}

func (echo) Live() *gateway.Live { return live() }

// TestRequestsAtTheSameTime: nobody is answered with another's profile, and Gin,
// which uses its contexts again, mixes up no operation ids.
func TestRequestsAtTheSameTime(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(httpapi.New(echo{}, httpapi.Options{}))
	defer server.Close()
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for n := range 50 {
				user, id := fmt.Sprintf("u%d.%d", caller, n), fmt.Sprintf("%016x%016x", caller+1, n)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/tenants/acme/users/"+user, nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Traceparent", "00-"+id+"-00f067aa0ba902b7-00")
				response, err := server.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				var answer gateway.Answer
				err = json.NewDecoder(response.Body).Decode(&answer)
				_ = response.Body.Close()
				if err != nil || answer.Data.UserName != user || answer.OperationID != id || response.Header.Get("Operation-Id") != id {
					t.Errorf("%s is answered %+v, %v", user, answer, err)
				}
			}
		})
	}
	callers.Wait()
}

// TestOverTheWire sends requests as they stand, to see what net/http makes of them.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(httpapi.New(echo{}, httpapi.Options{}))
	defer server.Close()
	send := func(request string) (status int, content string, header http.Header) {
		t.Helper()
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		method, _, _ := strings.Cut(request, " ")
		response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		all, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(all), response.Header
	}
	const rest = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	tests := []struct {
		request  string
		status   int
		contains string
	}{
		{"GET /v1/tenants/acme/users/a%2Fb" + rest, 200, `"userName":"a/b"`},
		{"GET /v1/tenants/acme/users/a%252Fb" + rest, 200, `"userName":"a%2Fb"`},
		{"GET /v1/tenants/acme/users/a+b" + rest, 200, `"userName":"a+b"`},
		{"GET /v1/tenants/acme/users/.." + rest, 200, `"userName":".."`},
		{"GET http://evil.example/v1/tenants/acme/users/a" + rest, 200, `"userName":"a"`},
		{"GET /v1/tenants/acme/users/a?access_token=s3cr3t" + rest, 400, "The query has a parameter that is not known."},
		{"GET /healthz#/v1/tenants/acme/users/a" + rest, 404, "Nothing is served at this path."},
		{"GET /v1/tenants/acme/users/%zz" + rest, 400, ""}, // net/http's own answer
		{"OPTIONS *" + rest, 200, ""}, // likewise
		{"CONNECT x:1" + rest, 405, "This path does not know the method."},
		{"BREW /v1/providers" + rest, 405, "This path does not know the method."},
		{"GET /v1/providers HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "one comes in chunks"},
		{"POST /v1/providers HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 65537\r\n\r\n", 413, "The body has more than 64 KiB."},
		{"TRACE /v1/providers" + rest, 405, "This path does not know the method."},
		{"GET /" + strings.Repeat("a", 9<<10) + rest, 414, "The address has more than 8 KiB."},
		{"GET /v1/providers HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + strings.Repeat("a", 17<<10) + "\r\n\r\n", 431, "The header fields have more than 16 KiB together."},
	}
	for _, test := range tests {
		status, content, header := send(test.request)
		if status != test.status || !strings.Contains(content, test.contains) {
			t.Errorf("%.60q: %d %.300s; want %d, %q", test.request, status, content, test.status, test.contains)
		}
		if header.Get("Server") != "" || header.Get("X-Powered-By") != "" {
			t.Errorf("%.60q: a banner: %v", test.request, header)
		}
	}
	status, content, header := send("HEAD /v1/tenants/acme/users/a" + rest)
	if status != 200 || content != "" || header.Get("Content-Length") == "" {
		t.Errorf("HEAD: %d %q, header %v", status, content, header)
	}
}
