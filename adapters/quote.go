package adapters

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"muster/config/document"
)

// A value inside a language of its own, such as a filter, is a literal of that
// language: it must not end its quotes. These formats write the whole literal, the
// quotes included, before the place of it is encoded.

// quotingFormats are the formats that write a literal.
func quotingFormats() []string { return []string{"json", "odata"} }

// quoted is a value as a literal of the format, the value itself for any other.
func quoted(format, value string) string {
	switch format {
	case "json": // RFC 8259, 7; the literals of SCIM filters too (RFC 7644, 3.4.2.2)
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false) // not every reader of a filter knows \u003c
		_ = encoder.Encode(value)    // of a text it never fails
		return strings.TrimSuffix(b.String(), "\n")
	case "odata": // OData 4.01 URL conventions, 5.1.1.6.1
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	default:
		return value
	}
}

// checkQuotes reports a placeholder within quotes that its author wrote, where a
// value could end them, or where the format writes its own. open are the quotes
// that stand open before it.
func checkQuotes(n *document.Node, offset, width int, ref reference, open string) {
	quoting := slices.Contains(quotingFormats(), ref.format)
	if open == "" {
		return
	}
	if quoting {
		n.ErrorfAt(offset, width, "the format %s writes its quotes itself", ref.format).Suggest("remove those around {%s:%s}", ref, ref.format)
		return
	}
	// What these formats let pass has no quote of the kind, and no backslash.
	safe := slices.Contains([]string{"int", "uuid", "label"}, ref.format) || ref.format == "email" && open == `"`
	if safe || ref.space != "id" && ref.space != "tenant" {
		return
	}
	format := "json"
	if open == "'" {
		format = "odata"
	}
	n.ErrorfAt(offset, width, "a value of {%s} could end the quotes around it", ref).
		Suggest("write {%s:%s} without the quotes", ref, format)
}

// openQuotes tells which quote stands open at the end of a text: one that stands
// there an odd number of times.
func openQuotes(text string) string {
	text = strings.NewReplacer("%22", `"`, "%27", "'").Replace(text)
	for _, quote := range []string{`"`, "'"} {
		if strings.Count(text, quote)%2 == 1 {
			return quote
		}
	}
	return ""
}
