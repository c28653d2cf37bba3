package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"muster/adapters"
	"muster/config/document"
)

var (
	secretReference = regexp.MustCompile(`^\$\{(env|file):([^{}]+)\}$`)
	anyReference    = regexp.MustCompile(`^\$\{[^{}]*\}$`)
)

// secrets reads values under `with`: a text, or ${env:NAME} or ${file:PATH} for
// the whole of it. What a variable or file holds is taken word for word and never
// looked into again.
type secrets struct {
	// elsewhere collects the secrets that are not on this machine, where that is
	// no mistake: a file is checked where it is written, and not where it runs.
	// Nil where it is one.
	elsewhere *[]string
	files     *files
}

// resolve returns the value that a node writes or refers to; ok is false where
// there is none, which has then been told.
func (s secrets) resolve(n *document.Node) (_ adapters.Secret, ok bool) {
	text := n.Text()
	found := secretReference.FindStringSubmatch(text)
	var value, missing string
	switch {
	case n.Kind() != document.Scalar:
		return adapters.Secret{}, false
	case text == "":
		n.Errorf("the value is empty").Suggest("remove the line, or write ${env:NAME} or ${file:PATH}")
		return adapters.Secret{}, false
	case found == nil && anyReference.MatchString(text):
		n.Errorf("a reference of no known kind").Suggest("write ${env:NAME} or ${file:PATH}")
		return adapters.Secret{}, false
	case found == nil && strings.Contains(text, "${"):
		at := strings.Index(text, "${")
		if end := strings.IndexByte(text[at:], '}'); end >= 0 {
			n.ErrorfAt(at, end+1, "a reference must be the whole value").Suggest("write ${env:NAME} or ${file:PATH}, with nothing beside it")
		} else {
			n.ErrorfAt(at, len(text)-at, "this reference is never closed").Suggest("write ${env:NAME} or ${file:PATH}")
		}
		return adapters.Secret{}, false
	case found == nil:
		return adapters.NewSecret(text), true
	case found[1] == "env":
		value, missing = fromEnvironment(found[2])
	default:
		value, missing = s.fromFile(n.File(), found[2])
	}
	switch {
	case missing == "":
		return adapters.NewSecret(value), true
	case s.elsewhere != nil:
		*s.elsewhere = append(*s.elsewhere, missing)
	default:
		n.Errorf("%s", missing)
	}
	return adapters.Secret{}, false
}

func fromEnvironment(name string) (value, missing string) {
	if value = os.Getenv(name); value == "" {
		return "", "the environment variable " + name + " is not set"
	}
	return value, ""
}

// fromFile reads a secret from a file. The line end that editors put behind it
// is no part of it.
func (s secrets) fromFile(from, path string) (value, missing string) {
	content, err := s.files.read(relative(from, path))
	if err != nil {
		return "", "the secret file " + path + ": " + reason(err)
	}
	if value = strings.TrimRight(string(content), "\r\n"); value == "" {
		return "", "the secret file " + path + " is empty"
	}
	return value, ""
}

// reason is why a file cannot be read, without its path.
func reason(err error) string {
	if why := (*os.PathError)(nil); errors.As(err, &why) {
		return why.Err.Error()
	}
	return "it cannot be read"
}

// relative is a path as the file that names it means it.
func relative(from, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(from), path)
}

// concealBySound keeps what stands under keys that sound like a credential's out
// of every message, before anything is known of the file.
func concealBySound(n *document.Node) {
	switch n.Kind() {
	case document.List:
		for _, item := range n.Items() {
			concealBySound(item)
		}
	case document.Mapping:
		for _, f := range n.Fields() {
			if soundsSecret.MatchString(f.Key.Text()) {
				concealText(f.Value)
			}
			concealBySound(f.Value)
		}
	}
}

var soundsSecret = regexp.MustCompile(`(?i)password|secret|token|credential|api_?-?key|bearer|authorization`)

// conceal keeps out of every message what an entry writes of its credentials. Of
// a definition that is not known, nil, any setting may be one.
func (e *entry) conceal(d *adapters.Definition) {
	public := map[string]bool{}
	if d != nil {
		for _, setting := range d.Settings() {
			public[setting.Name] = setting.Format != "secret"
		}
	}
	if e.with.Kind() == document.Mapping {
		for _, f := range e.with.Fields() {
			if !public[f.Key.Text()] && !isReference(f.Value) {
				f.Value.Conceal()
				concealWithin(f.Value)
			}
		}
	}
	e.node.Field("auth").WalkText(concealText)
}

func isReference(n *document.Node) bool {
	return n.Kind() == document.Scalar && strings.Contains(n.Text(), "${")
}

// concealWithin conceals what a mapping or a list holds in place of a text: a JWK
// without quotes is a mapping.
func concealWithin(n *document.Node) {
	switch n.Kind() {
	case document.List:
		for _, item := range n.Items() {
			item.Conceal()
			concealWithin(item)
		}
	case document.Mapping:
		for _, f := range n.Fields() {
			f.Value.Conceal()
			concealWithin(f.Value)
		}
	}
}

// concealText conceals a literal. In references, placeholders and addresses there
// is nothing to hide, and much that may be wrong; in JSON there may be a key.
func concealText(n *document.Node) {
	if n.Kind() != document.Scalar {
		return
	}
	if text := n.Text(); !strings.ContainsAny(text, "{}") && !strings.Contains(text, "://") || strings.ContainsAny(text, "\"\n") {
		n.Conceal()
	}
}
