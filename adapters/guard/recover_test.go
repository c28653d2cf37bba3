package guard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"muster/adapters"
)

func TestAPanicIsAFault(t *testing.T) {
	t.Parallel()
	const person = "jane@acme.example"
	var nobody *adapters.Query
	tests := []struct {
		name  string
		panic func()
		typ   string
	}{
		{"a text", func() { panic("no such person: " + person) }, "panic=string"},
		{"an error", func() { panic(fmt.Errorf("no such person: %s", person)) }, "panic=*errors.errorString"},
		{"nil", func() { panic(nil) }, "panic=*runtime.PanicNilError"}, //nolint:govet // on purpose
		{"of the runtime", func() { _ = nobody.IDs }, "panic=runtime.errorString"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, limits())
			f := w.ask(func(context.Context) error { lookUp(90071992547, test.panic); return nil })
			if f == nil || f.Kind != adapters.Unavailable || f.Error() != "unavailable: the source panicked" {
				t.Errorf("the fault is %v, want unavailable: the source panicked", f)
			}
			log := w.log.String()
			for _, want := range []string{"level=ERROR", `msg="source panicked"`, "source=directory", test.typ, "guard_test.lookUp ", "recover_test.go:"} {
				if !strings.Contains(log, want) {
					t.Errorf("the log lacks %q:\n%s", want, log)
				}
			}
			for _, leak := range []string{person, "90071992547", fmt.Sprintf("%x", 90071992547), "no such person"} {
				if strings.Contains(log, leak) {
					t.Errorf("the log holds %q:\n%s", leak, log)
				}
			}
		})
	}
}

//go:noinline
func lookUp(id int64, then func()) int64 { then(); return id }

func TestEveryErrorIsAFault(t *testing.T) {
	t.Parallel()
	plain := errors.New("out of cheese")
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"plain", plain, "unavailable"},
		{"deadline", context.DeadlineExceeded, "timeout"},
		{"wrapped", fmt.Errorf("twice: %w", fault(adapters.Denied, 403, 0)), "denied"},
		{"a nil fault in an error", (*adapters.Fault)(nil), "ok"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, limits())
			_, err := w.guards.Stack(answer(func(context.Context) error { return test.err }).adapter()).Fetch(context.Background(), adapters.Query{})
			if fault, ok := err.(*adapters.Fault); err != nil && (!ok || fault == nil) { //nolint:errorlint // the very type is promised
				t.Fatalf("the error is a %T, want a *adapters.Fault", err)
			}
			expect(t, "fault", describe(adapters.FaultOf(err)), test.want)
		})
	}
}
