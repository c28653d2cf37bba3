package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"muster/adapters"
	"muster/config"
	"muster/config/document"
)

// aFile is a file that people write.
type aFile struct {
	name  string // as commands take it
	title string
	about string
	form  document.Form
}

func filesWritten() []aFile {
	return []aFile{
		{
			"gateway", "The gateway's file",
			"Every key of the file that `muster serve` reads. [Operating Muster](../operating.md) tells how it is used;\n" +
				"`muster explain-config` shows what holds in a file of yours, and why.", config.Form(),
		},
		{
			"provider", "A provider's definition",
			"Every key of a definition. [Onboarding an upstream system](../onboarding.md) tells how one is written;\n" +
				"`muster schema provider` prints the same for editors.", adapters.Form(),
		},
	}
}

func schemaCommand() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "schema provider|gateway",
		Short: "Print the JSON Schema of a file, for editors, or its reference",
		Long: "Print the JSON Schema (draft 2020-12) of a provider's definition or of the gateway's file.\n" +
			"An editor with a YAML language server completes and explains keys by it:\n\n" +
			"  # yaml-language-server: $schema=./provider.schema.json",
		Example: "  muster schema provider > provider.schema.json\n" +
			"  muster schema gateway --output markdown | less",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"gateway", "provider"},
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := schemaOf(args[0], output)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "json", "json, or markdown: a page of reference for people")
	return command
}

func schemaOf(name, output string) ([]byte, error) {
	i := slices.IndexFunc(filesWritten(), func(f aFile) bool { return f.name == name })
	f := filesWritten()[i] // the names are the command's valid arguments
	switch output {
	case "json":
		return f.form.Schema("Muster: " + f.title)
	case "markdown":
		return []byte(f.form.Reference(f.title, f.about)), nil
	default:
		return nil, fmt.Errorf("no output named %q; there are json and markdown", output)
	}
}
