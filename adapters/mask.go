package adapters

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"muster/normalize"
)

// What a source sends as its credential must not come back to anybody: neither in
// what an upstream says of a failure, nor in what an operator is shown.

// soundsSecret finds the names of headers and parameters that carry credentials
// in some API or other.
var soundsSecret = regexp.MustCompile(`(?i)password|passwd|secret|token|credential|api_?-?key|bearer|auth|cookie|session|signature|^key$|^code$|^sig$`)

// isSecret tells whether a setting is one: because the definition says so, by its
// name, because the deployment refers to it, or because it is the credential.
func (s *Source) isSecret(name string) bool {
	d := s.definition
	for _, setting := range d.settings {
		if setting.Name == name && slices.Contains([]string{"secret", "host"}, setting.Format) {
			return setting.Format == "secret"
		}
	}
	if soundsSecret.MatchString(name) || secretReference.MatchString(name) {
		return true
	}
	credentials := parameterTemplates(d.auth.send)
	if d.auth.basic != nil {
		credentials = append(credentials, d.auth.basic.password)
	}
	return slices.ContainsFunc(credentials, func(t template) bool { return slices.Contains(t.refs("settings"), name) })
}

// secrets are the values of those settings.
func (s *Source) secrets() []string {
	var all []string
	for name, value := range s.settings {
		if s.isSecret(name) {
			all = append(all, value.Reveal())
		}
	}
	return all
}

// isCredential tells whether a header carries the credential.
func (s *Source) isCredential(header string) bool {
	return soundsSecret.MatchString(header) || slices.ContainsFunc(s.definition.auth.send, func(p parameter) bool {
		return strings.EqualFold(p.name, header)
	})
}

// secretPair splits a pair of a query and tells whether it carries a credential.
func secretPair(e *recordedCall, pair string) (name, value string, secret bool) {
	name, value, _ = strings.Cut(pair, "=")
	plain, err := url.QueryUnescape(name)
	return name, value, err != nil || e.token || soundsSecret.MatchString(plain)
}

// credentials are what an exchange carried as such. Of those that only sound so, a
// short one is no secret, and is everywhere.
func (s *Source) credentials(e *recordedCall) []string {
	const short = 6
	var all []string
	add := func(text string) {
		if len(text) >= short {
			all = append(all, text)
		}
	}
	for name, values := range e.request.Header {
		for _, value := range values {
			if s.isCredential(name) {
				_, rest, _ := strings.Cut(value, " ")
				add(value)
				add(rest)
			}
		}
	}
	for pair := range strings.SplitSeq(e.request.URL.RawQuery, "&") {
		if _, value, secret := secretPair(e, pair); secret {
			plain, _ := url.QueryUnescape(value)
			add(plain)
		}
	}
	if fetch := s.definition.auth.fetch; fetch != nil && e.token {
		if tree, err := normalize.ParseJSON(e.body); err == nil {
			all = append(all, fetch.token.Text(normalize.At(tree)))
		}
		if form, err := url.ParseQuery(string(e.sent)); err == nil && fetch.assertion != nil {
			add(form.Get("assertion"))
			add(form.Get("client_assertion"))
		}
	}
	return all
}

// maskOf replaces each of the secrets, wherever it stands and however it is
// encoded there.
func maskOf(secrets []string) *strings.Replacer {
	var forms []string
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		quoted, _ := json.Marshal(secret) // of a text, which does not fail
		forms = append(forms, secret, url.QueryEscape(secret), url.PathEscape(secret),
			strings.Trim(string(quoted), `"`), base64.StdEncoding.EncodeToString([]byte(secret)))
		if encoded, err := segment(secret); err == nil {
			forms = append(forms, encoded)
		}
	}
	// Of two that begin alike the longer is replaced, so that no rest of it stays.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, masked)
	}
	return strings.NewReplacer(pairs...)
}

// conceal takes what the request carried as its credential, and every other secret
// of the source, out of what the upstream says of failures: one that repeats what
// it was sent must not bring it into a log, or before a caller. Used is the token
// that was sent, "" for none.
func (s *Source) conceal(q Query, request *http.Request, used string, faults ...*Fault) {
	var said []*string
	for _, f := range faults {
		if f == nil {
			continue
		}
		f.Detail.Details = slices.Clone(f.Detail.Details)
		said = append(said, &f.Detail.Code, &f.Detail.Message, &f.Detail.Hint, &f.Detail.Ref, &f.Detail.Subject)
		for i := range f.Detail.Details {
			said = append(said, &f.Detail.Details[i])
		}
	}
	if !slices.ContainsFunc(said, func(text *string) bool { return *text != "" }) {
		return
	}
	const aWord = 6 // what is shorter may stand in any text
	_, basic, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	secrets := append(s.secrets(), used, basic)
	words := append(q.names(), secrets...)
	mask := maskOf(slices.DeleteFunc(secrets, func(secret string) bool { return len(secret) < aWord }))
	for _, text := range said {
		*text = mask.Replace(*text)
	}
	discreet(words, faults...)
}

// discreet takes the codes and the references out of what an upstream says of failures
// that hold one of these words, in any case or in base64: an identifier of the person, or
// a secret. They go into the log and the trace, and a caller may be shown less than the
// source was asked with.
func discreet(words []string, faults ...*Fault) {
	for _, f := range faults {
		if f == nil {
			continue
		}
		for _, text := range []*string{&f.Detail.Code, &f.Detail.Ref} {
			if *text != "" && slices.ContainsFunc(words, func(word string) bool { return holds(*text, word) }) {
				*text = ""
			}
		}
	}
}

// names are the identifiers of a query, and of addresses what stands before the @.
func (q Query) names() []string {
	var all []string
	for _, value := range q.IDs {
		local, _, _ := strings.Cut(value, "@")
		all = append(all, value, local)
	}
	return all
}

// holds tells whether a word stands in a text: one that is long enough for it to be no
// accident.
func holds(text, word string) bool {
	const aWord = 4
	return len(word) >= aWord && (strings.Contains(strings.ToLower(text), strings.ToLower(word)) ||
		strings.Contains(text, base64.RawStdEncoding.EncodeToString([]byte(word))) || strings.Contains(text, base64.RawURLEncoding.EncodeToString([]byte(word))))
}

// redacted masks what the definition says under `redact`, of the whole reply and
// of the record within it, and whatever is called like a secret.
func (d *Definition) redacted(tree any) any {
	paths := slices.Clone(d.redact)
	for _, p := range d.redact {
		for _, data := range d.response.data {
			if data.String() != "." {
				paths = append(paths, data.Join(p))
			}
		}
	}
	return normalize.Redact(tree, paths, masked)
}
