package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"muster/config"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Look at who is shown what",
		Long:  "Look at who is shown what, by the policies of a gateway's file.",
	}
	cmd.AddCommand(policyTestCommand())
	return cmd
}

func policyTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test [CONFIG]",
		Short: "Run the cases that stand under the policies of a gateway's file",
		Long: "Run the cases that stand under the policies of a gateway's file, gateway.yaml when none is named,\n" +
			"and list them. A gateway runs them too whenever it reads the file, and refuses one in which a\n" +
			"case fails; so do `muster check` and `muster test`. Nothing is connected to, and no secret needed.\n\n" +
			"The exit code is 0 when all is well, 1 when a case fails or the file has a mistake, 2 when it\n" +
			"cannot be read or has no case.",
		Example: "  muster policy test gateway.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "gateway.yaml"
			if len(args) > 0 {
				path = args[0]
			}
			results, err := config.TestPolicies(path)
			if err != nil {
				return told(cmd, err)
			}
			return tellCases(cmd, path, results)
		},
	}
}

func tellCases(cmd *cobra.Command, path string, results []config.PolicyResult) error {
	out := cmd.OutOrStdout()
	paint := painter(colours(out))
	if len(results) == 0 {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s: no policy has tests\n", path)
		return exitError(exitUnreadable)
	}
	failed := 0
	for _, r := range results {
		how := paint.in(green, "ok")
		if r.Problems != nil {
			failed++
			how = paint.in(red, "FAILED")
		}
		_, _ = fmt.Fprintf(out, "%s  %s: %s  %s\n", how, r.Policy, r.Name, paint.in(dim, r.Position))
		for _, p := range r.Problems {
			_, _ = fmt.Fprint(out, p)
		}
	}
	if failed > 0 {
		_, _ = fmt.Fprintf(out, "%s: %d passed, %s\n", count(len(results), "case"), len(results)-failed, paint.in(red, fmt.Sprintf("%d failed", failed)))
		return exitError(exitWrong)
	}
	_, err := fmt.Fprintf(out, "%s: %s\n", count(len(results), "case"), paint.in(green, "all passed"))
	return err
}
