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

var secretReference = regexp.MustCompile(`^\$\{(env|file):([^{}]+)\}$`)

// secrets reads values under `with`: a text, or ${env:NAME} or ${file:PATH} for
// the whole of it. What a variable or file holds is taken word for word and never
// looked into again.
type secrets struct {
	// elsewhere collects the secrets that are not on this machine, where that is
	// no mistake: a file is checked where it is written, and not where it runs.
	// Nil where it is one.
	elsewhere *[]string
}

// resolve returns the value that a node writes or refers to; ok is false where
// there is none, which has then been told.
func (s secrets) resolve(n *document.Node) (_ adapters.Secret, ok bool) {
	text := n.Text()
	found := secretReference.FindStringSubmatch(text)
	var value, missing string
	switch {
	case found == nil && strings.Contains(text, "${"):
		n.Errorf("a reference must be the whole value").Suggest("write ${env:NAME} or ${file:PATH}, with nothing beside it")
		return adapters.Secret{}, false
	case found == nil:
		return adapters.NewSecret(text), text != ""
	case found[1] == "env":
		value, missing = fromEnvironment(found[2])
	default:
		value, missing = fromFile(n.File(), found[2])
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
func fromFile(from, path string) (value, missing string) {
	content, err := os.ReadFile(relative(from, path))
	if err != nil {
		reason := "it cannot be read"
		if why := (*os.PathError)(nil); errors.As(err, &why) {
			reason = why.Err.Error()
		}
		return "", "the secret file " + path + ": " + reason
	}
	if value = strings.TrimRight(string(content), "\r\n"); value == "" {
		return "", "the secret file " + path + " is empty"
	}
	return value, ""
}

// relative is a path as the file that names it means it.
func relative(from, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(from), path)
}
