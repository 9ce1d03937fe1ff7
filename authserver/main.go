// Command authserver is the token service: it knows which client may have a
// token for whom, and signs tokens that live for minutes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // hours name time zones, and a bare machine knows none

	"github.com/spf13/cobra"

	"portcullis/policies/policy"
	"portcullis/services/chassis"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the whole program but for the exit.
func run(args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "authserver",
		Short:         "The token service: who may have a token for whom",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       chassis.Build(),
	}
	client := &cobra.Command{Use: "client", Short: "Clients and their secrets"}
	client.AddCommand(clientList(), clientShow(), clientSecret(), clientDisable())
	token := &cobra.Command{Use: "token", Short: "Tokens, as any client gets them"}
	token.AddCommand(tokenGet(), tokenInspect(), tokenRevoke())
	log := &cobra.Command{Use: "audit", Short: "The record of what was issued, refused, revoked and changed"}
	log.AddCommand(auditTail(), auditVerify())
	root.AddCommand(serve(), check(), client, keys(), signer(), log, token, backup())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(context.Background()); err != nil {
		explain(stderr, err)
		return 1
	}
	return 0
}

// oneClient is the argument of the commands about a client.
func oneClient(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes the name of one client, as in: %s demo", cmd.Name(), cmd.CommandPath())
	}
	return nil
}

// explain shows an error: mistakes in policy files with their source, anything
// else in one line.
func explain(stderr io.Writer, err error) {
	if mistakes, ok := errors.AsType[policy.Mistakes](err); ok {
		_ = mistakes.Render(stderr, false)
		err = errors.New("the policy files cannot be used")
	}
	fmt.Fprintf(stderr, "authserver: %v\n", err)
}
