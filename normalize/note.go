package normalize

import (
	"slices"
	"strings"

	"muster/config/document"
)

// A Note tells of a value that did not fit its member and was left out.
type Note struct {
	Member string // of the profile, e.g. roles.expiresAt
	Misfit string // what was expected and what form of value came, never the value

	from *alternative
}

// String is the note as the record carries it.
func (n Note) String() string { return n.Member + ": " + n.Misfit }

// At is the word of the definition that led to the value.
func (n Note) At() *document.Node { return n.from.node }

// Hint says what to write so that such a value fits, "" where nobody can say.
func (n Note) Hint() string {
	origin := "path: " + n.from.node.Text()
	if n.from.cel != nil {
		origin = "cel: …"
	}
	expected, found, _ := strings.Cut(n.Misfit, ", found ")
	switch {
	case expected == "expected an instant" && found == formOf(Number("0")):
		return "write {" + origin + ", as: epoch_s} or {" + origin + ", as: epoch_ms}: the upstream's document says what the number counts"
	case expected == "expected an instant" && n.from.as == "" && found == formOf(""):
		return "an instant is a text as RFC 3339 writes it, or a number with `as: epoch_s` or `as: epoch_ms`"
	case strings.HasPrefix(expected, "expected an instant as ") && found == formOf(""):
		return "`as` is for numbers; leave it out where the upstream writes the date as a text"
	case expected == "expected true or false" && n.from.table != nil:
		return "`map` leads to true and false, without quotes"
	case expected == "expected true or false":
		return "say which values mean what: {" + origin + ", map: {VALUE: true, \"*\": false}}"
	case expected == "expected text" && n.from.path != nil && (found == formOf(map[string]any{}) || found == formOf([]any{})):
		return "a path leads to one value, or through lists to many: name what is within"
	case expected == "expected text" && found == formOf(true):
		return "say which text it stands for: {" + origin + ", map: {true: TEXT, false: TEXT}}"
	default:
		return ""
	}
}

// NoteTexts are notes as a record carries them, each text once.
func NoteTexts(notes []Note) []string {
	var texts []string
	for _, note := range notes {
		if text := note.String(); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// says tells whether two notes are about the same word and say the same.
func (n Note) says(other Note) bool {
	return n.Member == other.Member && n.Misfit == other.Misfit && n.from.node == other.from.node
}
