package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"muster/adapters"
	"muster/config"
	"muster/config/document"
)

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Find every mistake in a gateway's file or a definition, and run its tests",
		Long: "Read each file as the gateway would: a gateway's file with all that it names, or the\n" +
			"definition of a provider. Every mistake of every file is told, each at its very word;\n" +
			"then the inline tests are run. Nothing is connected to, and no secret is needed.\n\n" +
			"The exit code is 0 when all is well, 1 when something is wrong, 2 when a file cannot be read.",
		Example: "  muster check gateway.yaml\n" +
			"  muster check providers/*.yaml",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			c := checking{out: cmd.OutOrStdout(), problems: cmd.ErrOrStderr()}
			for _, path := range paths {
				report, err := config.Check(cmd.Context(), path)
				c.tell(path, report, err)
			}
			return c.result()
		},
	}
}

// checking tells of one file after the other, and remembers the worst.
type checking struct {
	out, problems io.Writer
	code          int
}

func (c *checking) tell(path string, report config.Report, err error) {
	if mistakes := (*document.Error)(nil); errors.As(err, &mistakes) {
		c.code = max(c.code, exitWrong)
		_, _ = fmt.Fprintf(c.problems, "%v\n%s: %s\n", mistakes, path, count(len(mistakes.Problems), "mistake"))
		return
	}
	if err != nil {
		c.code = exitUnreadable
		_, _ = fmt.Fprintln(c.problems, err)
		return
	}
	failed := 0
	for _, test := range report.Tests {
		if len(test.Failures) > 0 {
			failed++
			c.tellTest(test)
		}
	}
	for _, note := range report.Notes {
		_, _ = fmt.Fprintf(c.out, "%s: note: %s\n", path, note)
	}
	if failed > 0 {
		c.code = max(c.code, exitWrong)
		_, _ = fmt.Fprintf(c.problems, "%s: %d of %s failed\n", path, failed, count(len(report.Tests), "inline test"))
		return
	}
	_, _ = fmt.Fprintf(c.out, "%s: ok, a %s's file, %s passed\n", path, report.Kind, count(len(report.Tests), "inline test"))
}

func (c *checking) tellTest(test adapters.TestResult) {
	_, _ = fmt.Fprintf(c.problems, "%s: error: the test %q failed\n", test.Position, test.Name)
	for _, failure := range test.Failures {
		_, _ = fmt.Fprintf(c.problems, "    %s\n", failure)
	}
}

func (c *checking) result() error {
	if c.code == 0 {
		return nil
	}
	return exitError(c.code)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
