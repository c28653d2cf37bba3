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

// resolveSecret reads a value under `with`: a text, or ${env:NAME} or
// ${file:PATH} for the whole of it. What a variable or file holds is taken word
// for word and never looked into again.
func resolveSecret(n *document.Node) (adapters.Secret, bool) {
	text := n.Text()
	found := secretReference.FindStringSubmatch(text)
	switch {
	case found == nil && strings.Contains(text, "${"):
		n.Errorf("a reference must be the whole value").Suggest("write ${env:NAME} or ${file:PATH}, with nothing beside it")
		return adapters.Secret{}, false
	case found == nil:
		return adapters.NewSecret(text), text != ""
	case found[1] == "env":
		return fromEnvironment(n, found[2])
	default:
		return fromFile(n, found[2])
	}
}

func fromEnvironment(n *document.Node, name string) (adapters.Secret, bool) {
	value, ok := os.LookupEnv(name)
	if !ok || value == "" {
		n.Errorf("the environment variable %s is not set", name)
		return adapters.Secret{}, false
	}
	return adapters.NewSecret(value), true
}

// fromFile reads a secret from a file. The line end that editors put behind it
// is no part of it.
func fromFile(n *document.Node, path string) (adapters.Secret, bool) {
	content, err := os.ReadFile(relative(n.File(), path))
	if err != nil {
		var why *os.PathError
		reason := "it cannot be read"
		if errors.As(err, &why) {
			reason = why.Err.Error()
		}
		n.Errorf("the secret file %s: %s", path, reason)
		return adapters.Secret{}, false
	}
	value := strings.TrimRight(string(content), "\r\n")
	if value == "" {
		n.Errorf("the secret file %s is empty", path)
		return adapters.Secret{}, false
	}
	return adapters.NewSecret(value), true
}

// relative is a path as the file that names it means it.
func relative(from, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(from), path)
}
