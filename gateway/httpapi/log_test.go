package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/gateway/httpapi"
)

// logTo is a logger and the lines that it wrote.
func logTo(level slog.Level) (*slog.Logger, func(*testing.T) []map[string]any) {
	var out bytes.Buffer
	return slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: level})), func(t *testing.T) []map[string]any {
		t.Helper()
		var lines []map[string]any
		for line := range strings.Lines(out.String()) {
			var members map[string]any
			if err := json.Unmarshal([]byte(line), &members); err != nil {
				t.Fatal(err)
			}
			delete(members, "time")
			lines = append(lines, members)
		}
		return lines
	}
}

func TestOneLineARequest(t *testing.T) {
	t.Parallel()
	log, lines := logTo(slog.LevelInfo)
	h := newDoor(&engine{answer: partial()}, httpapi.Options{Log: log})
	do(t, h, http.MethodGet, jane+"?fields=emails", "traceparent", parent)
	do(t, h, http.MethodGet, "/healthz", "traceparent", parent) // below the level
	do(t, h, "JANE", "/jane", "traceparent", parent)

	want := []map[string]any{
		{"level": "INFO", "msg": "request", "method": "GET", "route": "/v1/tenants/:tenant/users/:user", "status": 207.0, "operation_id": traceID},
		{"level": "INFO", "msg": "request", "method": "other", "route": "", "status": 404.0, "operation_id": traceID},
	}
	got := lines(t)
	for _, line := range got {
		if took, ok := line["duration_ms"].(float64); !ok || took < 0 || took > 60_000 {
			t.Errorf("duration_ms %v", line["duration_ms"])
		}
		delete(line, "duration_ms")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestAPanicIsA500(t *testing.T) {
	t.Parallel()
	log, lines := logTo(slog.LevelInfo)
	e := &engine{lookup: func(context.Context) { panic("about jane@acme.example") }}
	h := newDoor(e, httpapi.Options{Log: log})
	w := do(t, h, http.MethodGet, jane, "traceparent", parent)
	want := map[string]any{"operationId": traceID, "error": "Internal error.", "reason": "The gateway failed on this request.", "resolution": "Give the operation id to an operator.", "childErrors": []any{}}
	if diff := cmp.Diff(want, body(t, w)); w.Code != http.StatusInternalServerError || diff != "" {
		t.Errorf("status %d, body (-want +got):\n%s", w.Code, diff)
	}
	got := lines(t)
	if len(got) != 2 {
		t.Fatalf("%d lines, want the panic's and the request's: %v", len(got), got)
	}
	stack, _ := got[0]["stack"].(string)
	if got[0]["msg"] != "handler panicked" || got[0]["panic"] != "string" || got[0]["operation_id"] != traceID || !strings.Contains(stack, "TestAPanicIsA500") {
		t.Errorf("line %v", got[0])
	}
	if got[1]["msg"] != "request" || got[1]["status"] != 500.0 {
		t.Errorf("line %v", got[1])
	}

	e.lookup, e.answer = nil, complete()
	if w := do(t, h, http.MethodGet, jane); w.Code != http.StatusOK {
		t.Errorf("afterwards: status %d", w.Code)
	}
}

// TestADroppedConnectionStaysDropped: net/http's own panic is not an answer.
func TestADroppedConnectionStaysDropped(t *testing.T) {
	t.Parallel()
	h := newDoor(&engine{lookup: func(context.Context) { panic(http.ErrAbortHandler) }}, httpapi.Options{})
	defer func() {
		if p, _ := recover().(error); !errors.Is(p, http.ErrAbortHandler) {
			t.Errorf("recovered %v", p)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, jane, nil))
	t.Error("it was answered")
}
