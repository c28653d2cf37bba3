package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"muster/config/document"
)

// schemas are those that `muster schema` prints, by file.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	compiled := map[string]*jsonschema.Schema{}
	for _, f := range filesWritten() {
		var out bytes.Buffer
		root := rootCommand()
		root.SetArgs([]string{"schema", f.name})
		root.SetOut(&out)
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		tree, err := jsonschema.UnmarshalJSON(&out)
		if err != nil {
			t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource(f.name+".json", tree); err != nil {
			t.Fatal(err)
		}
		schema, err := compiler.Compile(f.name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		compiled[f.name] = schema
	}
	return compiled
}

// addressLater is where a test puts the address of what it starts.
var addressLater = regexp.MustCompile(`\$[A-Z]+\b`)

// asTree is a YAML file as a validator of JSON sees it; nil where it is no YAML
// that JSON can hold.
func asTree(t *testing.T, path string) any {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content = addressLater.ReplaceAll(content, []byte("127.0.0.1:1"))
	var problems document.Problems
	root := document.Read(path, content, &problems)
	if root == nil || problems.Err() != nil {
		return nil
	}
	text, err := root.JSON()
	if err != nil {
		return nil
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil
	}
	return tree
}

// TestSchemaTakesWhatTheReaderTakes: no editor may call wrong what is right.
func TestSchemaTakesWhatTheReaderTakes(t *testing.T) {
	schemas := schemas(t)
	taken := map[string]int{}
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" || strings.Contains(path, "invalid") {
			return err
		}
		tree, _ := asTree(t, path).(map[string]any)
		kind := ""
		switch {
		case tree["provider"] != nil:
			kind = "provider"
		case tree["providers"] != nil && tree["tenants"] != nil:
			kind = "gateway"
		default:
			return nil
		}
		taken[kind]++
		if err := schemas[kind].Validate(tree); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if taken["provider"] < 19 || taken["gateway"] < 2 {
		t.Errorf("only %v files were found", taken)
	}
}

// ofForm are messages about the form of a file, which a schema can know.
var ofForm = regexp.MustCompile(`unknown key|unknown member|unknown value|the key "[^"]+" is missing|expected |written but has no value|are not part of this version`)

// TestSchemaRefusesWhatTheReaderRefuses: of the files with one mistake each, the
// schema knows those that are about the form.
func TestSchemaRefusesWhatTheReaderRefuses(t *testing.T) {
	schemas := schemas(t)
	for kind, folder := range map[string]string{"provider": "../../adapters/testdata/invalid", "gateway": "../../config/testdata/invalid"} {
		paths, err := filepath.Glob(folder + "/*.yaml")
		if err != nil || len(paths) == 0 {
			t.Fatal(folder, err)
		}
		refused, known := 0, 0
		for _, path := range paths {
			message, err := os.ReadFile(strings.TrimSuffix(path, ".yaml") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			tree := asTree(t, path)
			if tree == nil {
				continue
			}
			wrong := schemas[kind].Validate(tree) != nil
			if wrong {
				refused++
			}
			first, _, _ := strings.Cut(string(message), "\n")
			if ofForm.MatchString(first) && strings.Contains(first, filepath.Base(path)) { // and not in a file that it names
				known++
				if !wrong {
					t.Errorf("%s: the schema takes it, the reader says %s", path, first)
				}
			}
		}
		t.Logf("%s: of %d files with a mistake the schema refuses %d; %d are about the form", kind, len(paths), refused, known)
	}
}
