package normalize

import (
	"fmt"
	"testing"
)

// A note knows the very word that led to the value, and what to write instead.
// The unit of a number is never among what it says.
func TestANoteKnowsItsWord(t *testing.T) {
	for _, test := range []struct{ profile, json, at, hint string }{
		{`createdAt: made`, `{"made": 1}`, "1:12 made", "write {path: made, as: epoch_s} or {path: made, as: epoch_ms}: the upstream's document says what the number counts"},
		{`createdAt: {cel: data.made}`, `{"made": 1}`, "1:18 data.made", "write {cel: …, as: epoch_s} or {cel: …, as: epoch_ms}: the upstream's document says what the number counts"},
		{`roles: [{each: r, value: n, expiresAt: until}]`, `{"r":[{"n":"a","until":5}]}`, "1:40 until", "write {path: until, as: epoch_s} or {path: until, as: epoch_ms}: the upstream's document says what the number counts"},
		{`createdAt: [a, b]`, `{"b": 1}`, "1:16 b", "write {path: b, as: epoch_s} or {path: b, as: epoch_ms}: the upstream's document says what the number counts"},
		{`createdAt: a`, `{"a":"soon"}`, "1:12 a", "an instant is a text as RFC 3339 writes it, or a number with `as: epoch_s` or `as: epoch_ms`"},
		{`createdAt: {path: a, as: epoch_s}`, `{"a":"2020-03-25"}`, "1:19 a", "`as` is for numbers; leave it out where the upstream writes the date as a text"},
		{`createdAt: a`, `{"a":true}`, "1:12 a", ""},
		{`active: on`, `{"on":"Y"}`, "1:9 on", `say which values mean what: {path: on, map: {VALUE: true, "*": false}}`},
		{`active: {path: on, map: {"*": "yes"}}`, `{"on":"Y"}`, "1:16 on", "`map` leads to true and false, without quotes"},
		{`displayName: a`, `{"a":{"b":1}}`, "1:14 a", "a path leads to one value, or through lists to many: name what is within"},
		{`displayName: a`, `{"a":true}`, "1:14 a", "say which text it stands for: {path: a, map: {true: TEXT, false: TEXT}}"},
		{`emails: [x, mail]`, `{"mail":true}`, "1:13 mail", "say which text it stands for: {path: mail, map: {true: TEXT, false: TEXT}}"},
		{`requiredActions: todo`, `{"todo":[true]}`, "1:18 todo", "say which text it stands for: {path: todo, map: {true: TEXT, false: TEXT}}"},
		{`attributes: {plant: p}`, `{"p":[{"x":1}]}`, "1:21 p", "a path leads to one value, or through lists to many: name what is within"},
		{`attributes: {path: o}`, `{"o":[1]}`, "1:20 o", ""},
	} {
		t.Run(test.profile+" "+test.json, func(t *testing.T) {
			_, notes, err := mustMapping(t, "profile:\n  "+test.profile).Apply(replyOf(t, test.json), asOf())
			if err != nil || len(notes) != 1 {
				t.Fatalf("%v, %v", NoteTexts(notes), err)
			}
			column, word := 0, ""
			if _, err := fmt.Sscanf(test.at, "1:%d %s", &column, &word); err != nil {
				t.Fatal(err)
			}
			at := notes[0].At()
			if want := fmt.Sprintf("d.yaml:2:%d", column+2); at.Position() != want || at.Text() != word || notes[0].Hint() != test.hint {
				t.Errorf("at %s %q, hint %q", at.Position(), at.Text(), notes[0].Hint())
			}
		})
	}
	_, notes, err := mustMapping(t, `ids: {self: id}`).Apply(replyOf(t, `{"id":{"x":1}}`), asOf())
	if err != nil || len(notes) != 1 || notes[0].At().Text() != "id" {
		t.Errorf("%v, %v", NoteTexts(notes), err)
	}
}

// Two words at fault are two notes, though they read the same.
func TestEveryWordAtFaultIsNoted(t *testing.T) {
	_, notes, err := mustMapping(t, `profile: {createdAt: [a, b, a]}`).Apply(replyOf(t, `{"a":1,"b":2}`), asOf())
	if err != nil || len(notes) != 3 || len(NoteTexts(notes)) != 1 {
		t.Errorf("%v, %v", NoteTexts(notes), err)
	}
}
