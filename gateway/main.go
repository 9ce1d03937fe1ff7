// Command gateway is the edge: it checks tokens, limits, inspects and forwards, as the
// policy files say.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"portcullis/services/chassis"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// errReported ends a command whose mistakes have been printed already.
var errReported = errors.New("reported")

// run is the program with its world as arguments; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "gateway",
		Short:         "An edge API gateway: token checks, limits, WAF, breakers, by policy files",
		SilenceErrors: true,
		Version:       chassis.Build(),
		SilenceUsage:  true,
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(serveCommand(stdout, stderr), checkCommand(stdout, stderr))
	if err := root.ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintf(stderr, "gateway: %v\n", err)
		}
		return 1
	}
	return 0
}
