package adapters

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"muster/config/document"
)

// template is a text with placeholders: {id.KIND}, {tenant.NAME}, {settings.NAME},
// each optionally with a format, or {token} where an auth kind sends one.
type template []templatePart

// templatePart is a literal, or a placeholder with what it refers to.
type templatePart struct {
	literal string
	ref     reference // zero for a literal
}

// reference names a value that is filled in later.
type reference struct {
	space  string // "id", "tenant", "settings", "token", "secret", "subject_token" or "assertion"
	name   string // "" for a token; of a secret: the reference as it is written
	format string // "" for any
}

func (r reference) String() string {
	if r.name == "" {
		return r.space
	}
	return r.space + "." + r.name
}

// values is where placeholders get their values from.
type values struct {
	query    Query
	settings Settings
	token    string

	assertion string // of a token request
}

func (v *values) lookup(r reference) (string, bool) {
	var text string
	switch r.space {
	case "id":
		text = v.query.IDs[r.name]
	case "tenant":
		text = v.query.Tenant[r.name]
	case "settings", "secret":
		text = v.settings[r.name].Reveal()
	case "token":
		text = v.token
	case "subject_token":
		text = v.query.Caller.Token.Reveal()
	case "assertion":
		text = v.assertion
	}
	return text, text != ""
}

// refs are the template's placeholders in one space.
func (t template) refs(space string) []string {
	var names []string
	for _, p := range t {
		if p.ref.space == space && !slices.Contains(names, p.ref.name) {
			names = append(names, p.ref.name)
		}
	}
	return names
}

// absentError says which placeholder has no value.
type absentError struct{ ref reference }

func (e absentError) Error() string { return "no value for {" + e.ref.String() + "}" }

// unfitError says which placeholder's value cannot stand in its place. The
// value itself is left out: it may be a person's.
type unfitError struct {
	ref reference
	why string
}

func (e unfitError) Error() string { return "the value of {" + e.ref.String() + "} " + e.why }

// render fills the placeholders in; each value passes encode on its way.
func (t template) render(v *values, encode func(string) (string, error)) (string, error) {
	if len(t) == 1 && t[0].literal != "" {
		return t[0].literal, nil
	}
	var b strings.Builder
	for _, p := range t {
		if p.ref == (reference{}) {
			b.WriteString(p.literal)
			continue
		}
		value, ok := v.lookup(p.ref)
		if !ok {
			return "", absentError{p.ref}
		}
		if !Fits(p.ref.format, value) {
			return "", unfitError{p.ref, "is not of the form " + p.ref.format}
		}
		_, err := clean(value) // before quotes hide what is in it
		if err == nil {
			value, err = encode(quoted(p.ref.format, value))
		}
		if err != nil {
			return "", unfitError{p.ref, err.Error()}
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// formats are the forms that a placeholder or a setting may ask for.
func formats() []string {
	return []string{"email", "host", "int", "label", "secret", "text", "uuid"}
}

// placeholderFormats are those of them that a placeholder may name.
func placeholderFormats() []string { return []string{"email", "int", "json", "label", "odata", "uuid"} }

var (
	digits    = regexp.MustCompile(`^(0|[1-9]\d{0,18})$`)
	uuid      = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	dnsLabel  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	mailbox   = regexp.MustCompile(`^[^\s@<>",;:\\]+@[^\s@<>",;:\\]+\.?[^\s@<>",;:\\]+$`)
	hostNamed = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*(:[1-9]\d{0,4})?$`)
)

// Fits tells whether a value has the form that a placeholder or setting asks for:
// "int", "uuid", "label", "email" or "host"; any value has every other.
func Fits(format, value string) bool {
	switch format {
	case "int": // 0 to 2^63-1
		return digits.MatchString(value) && (len(value) < 19 || value <= "9223372036854775807")
	case "uuid":
		return uuid.MatchString(value)
	case "label":
		return dnsLabel.MatchString(value)
	case "email":
		return mailbox.MatchString(value)
	case "host":
		return len(value) <= 253 && hostNamed.MatchString(value)
	default:
		return true
	}
}

// clean refuses what has no place in any part of a request: control characters
// and bytes that are no text.
func clean(value string) (string, error) {
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("is not UTF-8 text")
	}
	if strings.ContainsFunc(value, unicode.IsControl) {
		return "", fmt.Errorf("has control characters")
	}
	return value, nil
}

// spaces says which placeholders a place allows.
type spaces struct {
	allowed []string
	where   string // for messages: "in a host", "in a header"
	// need is the format that {tenant.…} must carry here, "" for any.
	need string
	// bare tells that no format may put quotes around a value here.
	bare bool
}

func inRequest() spaces {
	return spaces{allowed: []string{"id", "tenant", "settings"}, where: "in a request"}
}

func inHost() spaces {
	return spaces{allowed: []string{"tenant", "settings"}, where: "in a host", need: "label", bare: true}
}

func inComparison() spaces {
	return spaces{allowed: []string{"id", "tenant", "settings"}, where: "in a comparison", bare: true}
}
func inAuth() spaces { return spaces{allowed: []string{"settings"}, where: "under auth"} }
func inSend() spaces { return spaces{allowed: []string{"settings", "token"}, where: "under send"} }

// form is how a text with placeholders is written.
func (in spaces) form() document.Form {
	usage := make([]string, len(in.allowed))
	for i, space := range in.allowed {
		usage[i] = map[string]string{"id": "{id.KIND}", "tenant": "{tenant.NAME}", "settings": "{settings.NAME}", "token": "{token}"}[space]
	}
	return document.AnyValue("a text with " + strings.Join(usage, ", "))
}

// text is a text with placeholders.
func text(in spaces) document.Type[template] {
	return document.Type[template]{Form: in.form(), Read: func(into *template, n *document.Node) { *into = parseTemplate(n, n.Text(), 0, in) }}
}

// secretReference is a whole value that names a secret of the deployment. Only
// a deployment's own file may write one (see Compile).
var secretReference = regexp.MustCompile(`^\$\{(env|file):[^{}]+\}$`)

// parseTemplate reads a text with placeholders that stands at offset of the
// node's text; {{ and }} are the braces themselves, for languages that have them.
// Mistakes are reported at their characters.
func parseTemplate(n *document.Node, text string, offset int, in spaces) template {
	if secretReference.MatchString(text) {
		return template{{ref: reference{space: "secret", name: text}}}
	}
	var t template
	rest := text
	for rest != "" {
		at := len(text) - len(rest) + offset
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			return t.plus(rest)
		}
		if open+1 < len(rest) && rest[open+1] == rest[open] { // twice is the brace itself
			if word := doubled.FindString(rest[open:]); word != "" {
				n.ErrorfAt(at+open, len(word), "a placeholder has one brace on either side").Suggest("write {%s}; {{ stands for the brace itself", strings.Trim(word, "{}"))
				return nil
			}
			t = t.plus(rest[:open+1])
			rest = rest[open+2:]
			continue
		}
		if open > 0 {
			t = t.plus(rest[:open])
		}
		end := strings.IndexByte(rest, '}')
		if rest[open] == '}' || end < 0 {
			n.ErrorfAt(at+open, 1, "a brace without its partner").Suggest("placeholders are written {id.KIND}, {tenant.NAME} or {settings.NAME}; {{ and }} are the braces themselves")
			return nil
		}
		if ref, ok := parseReference(n, rest[open+1:end], at+open, in); ok {
			checkQuotes(n, at+open, end+1-open, ref, openQuotes(anyPlaceholder.ReplaceAllString(text[:at-offset+open], "")))
			t = append(t, templatePart{ref: ref})
		}
		rest = rest[end+1:]
	}
	return t
}

// plus is the template with literal text after it.
func (t template) plus(literal string) template {
	if last := len(t) - 1; last >= 0 && t[last].ref == (reference{}) {
		t[last].literal += literal
		return t
	}
	return append(t, templatePart{literal: literal})
}

// doubled is what somebody who is used to another template language takes for a
// placeholder.
var doubled = regexp.MustCompile(`^\{\{(id|tenant|settings)\.[A-Za-z0-9_-]+(:[a-z]+)?\}{1,2}`)

var placeholderName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

func parseReference(n *document.Node, inner string, offset int, in spaces) (reference, bool) {
	body, format, typed := strings.Cut(inner, ":")
	space, name, dotted := strings.Cut(body, ".")
	width := len(inner) + 2
	fail := func(hint string, message string, args ...any) (reference, bool) {
		n.ErrorfAt(offset, width, message, args...).Suggest("%s", hint)
		return reference{}, false
	}
	usage := "placeholders are written {id.KIND}, {tenant.NAME} or {settings.NAME}"
	switch {
	case !slices.Contains([]string{"id", "tenant", "settings", "token"}, space):
		if near := document.Closest(space, []string{"id", "tenant", "settings", "token"}); near != "" {
			usage = fmt.Sprintf("did you mean %q?", near)
		}
		return fail(usage, "unknown placeholder {%s}", inner)
	case !slices.Contains(in.allowed, space):
		return fail("allowed here: "+strings.Join(in.allowed, ", "), "{%s} may not stand %s", inner, in.where)
	case space == "token" && (dotted || typed):
		return fail("write {token}", "{token} has no parts")
	case space != "token" && !placeholderName.MatchString(name):
		return fail(usage, "{%s} names no value", inner)
	case typed && !slices.Contains(placeholderFormats(), format):
		return fail("known: "+strings.Join(placeholderFormats(), ", "), "unknown format %q", format)
	case in.bare && slices.Contains(quotingFormats(), format):
		return fail(fmt.Sprintf("write {%s}", body), "the format %s puts quotes around a value, which may not stand %s", format, in.where)
	case space == "tenant" && in.need != "" && format != in.need:
		return fail(fmt.Sprintf("write {%s:%s}, so that a tenant cannot name another host", body, in.need), "{%s} %s needs the format %s", body, in.where, in.need)
	}
	return reference{space, name, format}, true
}
