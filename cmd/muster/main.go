// Command muster answers who one person is, as every system that knows them
// says.
//
//	muster serve --config gateway.yaml   the gateway
//	muster demo                          the gateway, five simulated upstreams and 1,200 people
//	muster check gateway.yaml            every mistake in a file, and its inline tests
//	muster init acme-hr --sample r.json  a definition drafted from a reply
//	muster test providers                the inline tests alone
//	muster lookup email:jane@…           one person, asked for here and now
//	muster providers                     the definitions inside the program
//	muster links import people.csv       the operator's links, in a table
//	muster explain-config                every value in force, and where it comes from
//	muster schema provider|gateway       JSON Schema and reference of the files
//	muster policy test gateway.yaml      the cases under its policies
//	muster verify --issuer URL TOKEN     whether a token is believed, check by check
//	muster pseudonym email:jane@…        what somebody is called in traces and audit records
//	muster version                       what this is
//
// main parses and delegates; the gateway is put together in serve.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"muster/config/document"
)

func main() { os.Exit(run()) }

// The exit codes beside 0.
const (
	exitWrong      = 1 // something is wrong, and was told
	exitUnreadable = 2 // a file cannot be read, or a command is not understood
)

// exitError ends the program with a code when all is told already.
type exitError int

// Error is never printed.
func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// told tells what is wrong with a configuration, and ends the program with the
// code for it.
func told(cmd *cobra.Command, err error) error {
	_, _ = fmt.Fprintln(cmd.ErrOrStderr(), err)
	if mistakes := (*document.Error)(nil); errors.As(err, &mistakes) {
		return exitError(exitWrong)
	}
	return exitError(exitUnreadable)
}

// run is main with an exit code.
func run() int {
	err := rootCommand().ExecuteContext(context.Background())
	var code exitError
	var mistake *mistakeError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &mistake):
		fmt.Fprintln(os.Stderr, err)
		return exitUnreadable
	default:
		fmt.Fprintln(os.Stderr, err)
		return exitWrong
	}
}

// untilStopped is the context of a command that runs until it is told to stop: a
// signal asks it to finish, and a second one ends the process at once. The other
// commands end at the first, as programs do.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "muster",
		Short:         "One user, as every system that knows them sees them",
		Example:       "  muster demo\n  muster check gateway.yaml\n  muster lookup --tenant acme --explain email:jane@acme.example\n  muster serve --config gateway.yaml",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		serveCommand(), demoCommand(),
		initCommand(), checkCommand(), testCommand(), lookupCommand(), linksCommand(), providersCommand(), explainConfigCommand(), schemaCommand(), policyCommand(),
		verifyCommand(), pseudonymCommand(), versionCommand(),
	)
	return root
}
