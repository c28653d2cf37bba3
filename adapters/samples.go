package adapters

import (
	"net/http"
	"strconv"

	"muster/config/document"
	"muster/normalize"
)

// samples are the documented replies that CEL is typed from: those of the inline
// tests, and of the tests of the definitions that this one was made from. What is
// wrong with a test is told where the test is read.
func (d *Definition) samples(r *Resolved) normalize.Samples {
	var samples normalize.Samples
	tests := r.inherited
	if own := r.Own.Field("tests"); own.Kind() == document.List {
		tests = append([]*document.Node{own}, tests...)
	}
	for _, list := range tests {
		for _, test := range list.Items() {
			status, body, ok := sampleOf(test.Field("reply"))
			if !ok {
				continue
			}
			samples.Bodies = append(samples.Bodies, body)
			if status >= 200 && status < 300 {
				samples.Records = append(samples.Records, d.records(body)...)
			}
		}
	}
	return samples
}

// sampleOf reads the reply of an inline test; ok is false where it has no body
// that is JSON.
func sampleOf(reply *document.Node) (status int, body any, ok bool) {
	status = http.StatusOK
	if n := reply.Field("http"); n.Kind() == document.Scalar {
		status, _ = strconv.Atoi(n.Text())
	}
	var text []byte
	if n := reply.Field("json"); n != nil {
		text, _ = n.JSON()
	}
	if n := reply.Field("text"); n.Kind() == document.Scalar {
		text = []byte(n.Text())
	}
	if n := reply.Field("file"); n.Kind() == document.Scalar {
		text, _ = document.ReadFile(beside(n))
	}
	body, err := normalize.ParseJSON(text)
	return status, body, err == nil
}

// records are what `data` may be for a body like this one.
func (d *Definition) records(body any) []any {
	data, ok := d.response.data.First(normalize.At(body))
	if !ok {
		return nil
	}
	if items, isList := data.([]any); isList && !d.response.list {
		return items
	}
	return []any{data}
}
