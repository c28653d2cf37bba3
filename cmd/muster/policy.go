package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"muster/config"
	"muster/config/document"
	"muster/gateway/httpapi/bearer"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Look at who is shown what",
		Long:  "Look at who is shown what, by the policies of a gateway's file.",
	}
	cmd.AddCommand(policyTestCommand(), policyShowCommand())
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

func policyShowCommand() *cobra.Command {
	var caller string
	var of []string
	cmd := &cobra.Command{
		Use:   "show [CONFIG] --caller FILE|-",
		Short: "Show what a caller would be shown, and of whom",
		Long: "Show what the policies of a gateway's file, gateway.yaml when none is named, show to a caller. The\n" +
			"caller is a token in a file, or on standard input; or the caller of a policy's test, as YAML. Of a\n" +
			"token the signature, the audience and the times are not looked at: `muster verify` does that. The\n" +
			"token is never written, nor who it is about.\n\n" +
			"--of says whom the caller asks for, by identifiers as a lookup would prove them: what policies\n" +
			"about the target then show is added. Nothing is connected to, and no secret needed.\n\n" +
			"The exit code is 0 when something is shown, 1 when nothing is or a file has a mistake, 2 when a file\n" +
			"cannot be read, or is no token of an issuer that the file names.",
		Example: "  muster policy show --caller - <token\n" +
			"  muster policy show gateway.yaml --caller token.txt --of email:jane@acme.example --of oid:7d1f2c0a\n" +
			"  echo '{scopes: profile.basic}' | muster policy show --caller -",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "gateway.yaml"
			if len(args) > 0 {
				path = args[0]
			}
			return showPolicies(cmd, path, caller, of)
		},
	}
	cmd.Flags().StringVar(&caller, "caller", "", "who asks: a file with a token, or with the caller of a test; - is standard input")
	cmd.Flags().StringArrayVar(&of, "of", nil, "whom they ask for: KIND:VALUE; may be given several times, the strongest of a kind first")
	return cmd
}

func showPolicies(cmd *cobra.Command, path, caller string, of []string) error {
	target := map[string][]string{}
	for _, id := range of {
		kind, value, named := strings.Cut(id, ":")
		if !named || kind == "" || value == "" {
			return wrongUse("that is no identifier", "--of email:jane@acme.example")
		}
		target[kind] = append(target[kind], value)
	}
	var text []byte
	var err error
	name := caller
	switch caller {
	case "":
		return wrongUse("it is not said who asks", "--caller FILE, or --caller - for standard input")
	case "-":
		name = "standard input"
		text, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), 2*bearer.MaxToken))
	default:
		text, err = document.ReadFile(caller)
	}
	if err != nil {
		return &mistakeError{message: err.Error()}
	}
	shown, err := config.ShowPolicies(path, name, text, target)
	if err != nil {
		return told(cmd, err)
	}
	rows := [][2]string{
		{"tenants", listed(shown.Tenants, "none")},
		{"scopes", listed(shown.Scopes, "none")},
		{"of everybody", listed(shown.Everybody, "nothing")},
		{"of some, at most", listed(shown.Most, "nothing")},
	}
	if of != nil {
		rows = append(rows, [2]string{"of " + strings.Join(of, " "), listed(shown.Target, "nothing")}, [2]string{"  decided by", listed(shown.By, "no policy")})
	}
	for _, row := range rows {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-18s %s\n", row[0], row[1]); err != nil {
			return err
		}
	}
	if len(shown.Most) == 0 || of != nil && len(shown.Target) == 0 {
		return exitError(exitWrong)
	}
	return nil
}

func listed(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
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
