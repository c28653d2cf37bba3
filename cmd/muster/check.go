package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"muster/adapters"
	"muster/config"
)

func checkCommand() *cobra.Command {
	var audit bool
	var format string
	cmd := &cobra.Command{
		Use:   "check [FILE|DIR…]",
		Short: "Find every mistake in a gateway's file or a definition, and run its tests",
		Long: "Read each file as the gateway would: a gateway's file with all that it names, or the\n" +
			"definition of a provider. Of a folder, which is this one when none is named, all that it and\n" +
			"the folders in it have of these. Every mistake of every file is told, each at its very word;\n" +
			"then the inline tests are run. Nothing is connected to, and no secret is needed.\n\n" +
			"--audit warns of what is legal and unwise as well, each warning by the name of its rule.\n\n" +
			"The exit code is 0 when all is well, 1 when something is wrong, 2 when a file cannot be read\n" +
			"or there is nothing to check. Warnings do not change it.",
		Example: "  muster check gateway.yaml\n" +
			"  muster check --audit deploy providers/badges.yaml\n" +
			"  muster check --format github",
		RunE: func(cmd *cobra.Command, paths []string) error {
			reports := config.Check(cmd.Context(), orHere(paths), audit)
			switch format {
			case "text":
				tellText(cmd.OutOrStdout(), cmd.ErrOrStderr(), reports)
			case "json":
				if err := tellJSON(cmd.OutOrStdout(), reports); err != nil {
					return err
				}
			case "github":
				tellGitHub(cmd.OutOrStdout(), reports)
			default:
				return fmt.Errorf("unknown format %q; there are: text, json, github", format)
			}
			return outcome(reports)
		},
	}
	cmd.Flags().BoolVar(&audit, "audit", false, "warn of what is legal and unwise, too")
	cmd.Flags().StringVar(&format, "format", "text", "text, json (one document), or github (annotations)")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json", "github"}, cobra.ShellCompDirectiveNoFileComp)) // fails for no flag that is there
	return cmd
}

// orHere is this folder where no path is named.
func orHere(paths []string) []string {
	if len(paths) == 0 {
		return []string{"."}
	}
	return paths
}

// outcome is the exit code that the worst of the files asks for.
func outcome(reports []config.Report) error {
	code := 0
	for i := range reports {
		switch r := &reports[i]; {
		case r.Err != nil:
			code = exitUnreadable
		case r.Wrong:
			code = max(code, exitWrong)
		}
	}
	if code == 0 {
		return nil
	}
	return exitError(code)
}

// tellText tells people: what is wrong on problems, what is well on out.
func tellText(out, problems io.Writer, reports []config.Report) {
	for i := range reports {
		r := &reports[i]
		if r.Err != nil {
			_, _ = fmt.Fprintln(problems, r.Err)
			continue
		}
		for _, p := range r.Problems {
			_, _ = fmt.Fprint(problems, p)
		}
		for _, note := range r.Notes {
			_, _ = fmt.Fprintf(out, "%s: note: %s\n", r.File, note)
		}
		switch mistakes, failed, warnings := tally(r); {
		case r.Wrong && mistakes+failed == 0:
			_, _ = fmt.Fprintf(problems, "%s: wrong, as told above\n", r.File)
		case mistakes > 0 && failed > 0:
			_, _ = fmt.Fprintf(problems, "%s: %s, and %d of %s failed\n", r.File, count(mistakes, "mistake"), failed, count(r.Tested, "inline test"))
		case mistakes > 0:
			_, _ = fmt.Fprintf(problems, "%s: %s\n", r.File, count(mistakes, "mistake"))
		case failed > 0:
			_, _ = fmt.Fprintf(problems, "%s: %d of %s failed\n", r.File, failed, count(r.Tested, "inline test"))
		case warnings > 0:
			_, _ = fmt.Fprintf(out, "%s: ok, a %s's file, %s passed, %s\n", r.File, r.Kind, count(r.Tested, "inline test"), count(warnings, "warning"))
		default:
			_, _ = fmt.Fprintf(out, "%s: ok, a %s's file, %s passed\n", r.File, r.Kind, count(r.Tested, "inline test"))
		}
	}
}

// tally counts what is told of a file.
func tally(r *config.Report) (mistakes, failed, warnings int) {
	for _, p := range r.Problems {
		switch {
		case p.Warning:
			warnings++
		case p.Rule == adapters.RuleTest:
			failed++
		default:
			mistakes++
		}
	}
	return mistakes, failed, warnings
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
