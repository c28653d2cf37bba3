package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"muster/config"
	"muster/config/document"
)

func explainConfigCommand() *cobra.Command {
	var path, output string
	command := &cobra.Command{
		Use:   "explain-config [KEY…]",
		Short: "Show every value that is in force, and which line or default it comes from",
		Long: "Show what holds under every key of the gateway's file, or under those that are named: its\n" +
			"value, and the line of the file or of a definition that says so, or that it is the default.\n" +
			"Secrets are masked, and need not be there.",
		Example: "  muster explain-config --config gateway.yaml\n" +
			"  muster explain-config providers.okta.limits budget",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			keys := explained(path)
			return keys, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, keys []string) error {
			values, err := config.Explain(path)
			if err != nil {
				return told(cmd, err)
			}
			if values, err = under(keys, values); err != nil {
				return err
			}
			return tellExplained(cmd.OutOrStdout(), values, output)
		},
	}
	command.Flags().StringVarP(&path, "config", "c", "gateway.yaml", "the gateway's file")
	command.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return command
}

// explained are the keys that can be asked for: those in force in a file, else
// all that a file may have.
func explained(path string) []string {
	var keys []string
	values, err := config.Explain(path)
	if err != nil {
		for _, v := range config.Form().Effective("") {
			keys = append(keys, v.Key)
		}
		return keys
	}
	for _, v := range values {
		keys = append(keys, v.Key)
	}
	return keys
}

// under are the values under any of the keys; all of them without one.
func under(keys []string, values []config.Explained) ([]config.Explained, error) {
	if len(keys) == 0 {
		return values, nil
	}
	var found []config.Explained
	for _, key := range keys {
		before := len(found)
		for _, v := range values {
			if v.Key == key || strings.HasPrefix(v.Key, key+".") {
				found = append(found, v)
			}
		}
		if len(found) == before {
			return nil, noSuchKey(key, values)
		}
	}
	return found, nil
}

func noSuchKey(key string, values []config.Explained) error {
	var names []string
	for _, v := range values {
		for name := v.Key; name != ""; name = name[:max(0, strings.LastIndexByte(name, '.'))] {
			names = append(names, name)
		}
	}
	if near := document.Closest(key, names); near != "" {
		return fmt.Errorf("nothing is in force under %q; did you mean %q?", key, near)
	}
	return fmt.Errorf("nothing is in force under %q; without a key all are shown", key)
}

func tellExplained(out io.Writer, values []config.Explained, output string) error {
	switch output {
	case "json":
		return writeJSON(out, values)
	case "text":
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, v := range values {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", v.Key, v.Value, v.From) // errors are kept until Flush
		}
		return table.Flush()
	default:
		return fmt.Errorf("no output named %q; there are text and json", output)
	}
}
