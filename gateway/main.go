// Command gateway is the edge: it checks tokens, limits, inspects and forwards, as the
// policy files say.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	// The hours of rules name time zones, and a container of one binary has no
	// files of them.
	_ "time/tzdata"

	"github.com/spf13/cobra"

	"portcullis/services/chassis"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// errReported ends a command that has printed what it found: exit code 1. Any
// other error means that the command could not do its work: exit code 2.
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
	root.SetHelpCommand(helpCommand(stdout))
	root.AddCommand(serveCommand(stdout, stderr), checkCommand(stdout, stderr))
	root.AddCommand(diffCommand(stdout, stderr), showCommand(stdout, stderr), initCommand(stdout, stderr))
	root.AddCommand(testCommand(stdout, stderr), explainCommand(stdout, stderr, os.Stdin))
	root.AddCommand(fmtCommand(os.Stdin, stdout, stderr), schemaCommand(stdout))
	root.AddCommand(reloadCommand(stdout, stderr), decisionsCommand(stdout), wafCommand(stdout, stderr, os.Stdin))
	if err := root.ExecuteContext(ctx); err != nil {
		if errors.Is(err, errReported) {
			return 1
		}
		fmt.Fprintf(stderr, "gateway: %v\n", err)
		return 2
	}
	return 0
}
