package adapters_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"muster/adapters"
)

// TestACodeThatNamesThePerson: an upstream's code and reference go into the log and the
// trace. One that holds an identifier of whom it was asked for is no code.
func TestACodeThatNamesThePerson(t *testing.T) {
	t.Parallel()
	d := define(t, `
auth: {bearer: "{settings.token}"}
response: {error: {code: code, ref: ref}, partial: {each: errors, code: code, ref: ref}}
profile: {displayName: name}
`)
	encoded := base64.StdEncoding.EncodeToString([]byte("jane.doe@acme.example"))
	for said, want := range map[string]string{
		"USER_LOCKED":               "USER_LOCKED",
		"E-100":                     "E-100", // an identifier as short as 100 is in any code
		"USER_LOCKED:jane.doe":      "",
		"Jane.Doe":                  "",
		"jane.doe@acme.example":     "",
		"JANE.DOE@ACME.EXAMPLE":     "",
		"ref-9007199254740993":      "",
		encoded:                     "",
		strings.Trim(encoded, "="):  "",
		"1f0c9f3e-0000-4000-8000-0": "1f0c9f3e-0000-4000-8000-0",
		"CREDENTIAL-Pin7":           "", // a secret, however short and in whatever case
		"credential-pIN7":           "",
	} {
		q := somebody()
		q.IDs = map[string]string{"self": "100", "email": "jane.doe@acme.example", "oid": "9007199254740993"}
		_, err := bind(d, answers(503, `{"code": "`+said+`", "ref": "`+said+`"}`), "token", "Pin7").Fetch(t.Context(), q)
		got := adapters.FaultOf(err).Detail
		expect(t, "the code of "+said, got.Code, want)
		expect(t, "the reference of "+said, got.Ref, want)

		reply, err := bind(d, answers(200, `{"id": "100", "errors": [{"code": "`+said+`", "ref": "`+said+`"}]}`), "token", "Pin7").Fetch(t.Context(), q)
		if err != nil || len(reply.Children) != 1 {
			t.Fatalf("%v, %v", reply.Children, err)
		}
		expect(t, "the reference of a part, "+said, reply.Children[0].Detail.Ref, want)
	}
}
