package adapters_test

import (
	"context"
	"testing"

	"muster/adapters"
)

func TestAFunctionIsAnAdapter(t *testing.T) {
	var adapter adapters.Adapter = adapters.AdapterFunc(func(_ context.Context, q adapters.Query) (adapters.Reply, error) {
		return adapters.Reply{Status: len(q.IDs)}, adapters.Fail(adapters.Denied, q.IDs["self"], nil)
	})
	reply, err := adapter.Fetch(t.Context(), somebody())
	expect(t, "status", reply.Status, 1)
	expect(t, "fault", err.Error(), "denied: 1")
}
