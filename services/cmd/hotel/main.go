// Command hotel runs the hotel's services, and the sandbox that stands in for
// the world outside: one binary, one of them a process.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"portcullis/services/chassis"
)

func main() {
	ctx, _ := chassis.Signals(context.Background())
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program but for signals and the exit: it returns the exit
// code. Request events go to stdout, diagnostics to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "hotel",
		Short:         "The hotel's services, one a process",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       chassis.Build(),
	}
	root.AddCommand(searchCommand(), reservationsCommand(), paymentsCommand(), usersCommand(), reportingCommand(), bookingCommand(), sandboxCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(stderr, "hotel: %v\n", err)
		return 1
	}
	return 0
}
