package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestDocumentedReference holds the pages of docs/reference to the tables of keys
// and to the commands. With -update it writes them.
func TestDocumentedReference(t *testing.T) {
	pages := map[string]string{"commands.md": commandsPage()}
	for _, f := range filesWritten() {
		text, err := schemaOf(f.name, "markdown")
		if err != nil {
			t.Fatal(err)
		}
		pages[f.name+".md"] = string(text)
	}
	for name, want := range pages {
		path := filepath.Join("../../docs/reference", name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not what the program says of itself; `go test ./cmd/muster -run Documented -update` writes it (-program +page):\n%s", path, diff)
		}
	}
}

// TestEveryKeySaysWhatItIs: a key without a form or without a word about it would
// be a hole in the schema and in the reference.
func TestEveryKeySaysWhatItIs(t *testing.T) {
	for _, f := range filesWritten() {
		text, err := schemaOf(f.name, "markdown")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") && (len(cells) < 4 || strings.TrimSpace(cells[1]) == "" || strings.TrimSpace(cells[2]) == "") {
				t.Errorf("%s: %s", f.name, line)
			}
		}
	}
}

// commandsPage tells of every command as its help does.
func commandsPage() string {
	var page bytes.Buffer
	page.WriteString("# Commands\n\nWhat `muster --help` and `muster COMMAND --help` say.\n")
	writeCommands(&page, rootCommand(), "##")
	return page.String()
}

func writeCommands(page *bytes.Buffer, of *cobra.Command, heading string) {
	for _, command := range of.Commands() {
		if command.Name() == "help" || command.Hidden {
			continue
		}
		fmt.Fprintf(page, "\n%s `%s %s`\n\n%s.\n\n```\n%s\n```\n", heading, of.CommandPath(), command.Use, command.Short, strings.TrimSpace(helpOf(command)))
		writeCommands(page, command, heading+"#")
	}
}

// helpOf is a command's help below its first line.
func helpOf(command *cobra.Command) string {
	var text strings.Builder
	if command.Long != "" {
		fmt.Fprintf(&text, "%s\n", command.Long)
	}
	command.LocalFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = f.Hidden || f.Name == "help" })
	if flags := command.LocalFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(&text, "\n%s", flags)
	}
	if command.Example != "" {
		fmt.Fprintf(&text, "\nExamples:\n%s\n", command.Example)
	}
	return text.String()
}
