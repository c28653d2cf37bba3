// Command muster answers who one person is, as every system that knows them
// says.
//
//	muster serve --config gateway.yaml   the gateway
//	muster demo                          the gateway, five simulated upstreams and 1,200 people
//	muster version
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
)

func main() { os.Exit(run()) }

// run is main with an exit code: 0 fine, 1 a mistake that was told.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once: the first asks it to finish.
	context.AfterFunc(ctx, stop)

	err := rootCommand().ExecuteContext(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "muster",
		Short:         "One user, as every system that knows them sees them",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), demoCommand(), versionCommand())
	return root
}
