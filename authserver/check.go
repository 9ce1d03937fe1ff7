package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"portcullis/authserver/internal/clients"
	"portcullis/policies/policy"
)

func check() *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR",
		Short: "Find every mistake in a folder of policy files",
		Long: `Loads the policy files in DIR as serve would, and prints every mistake at once,
each with its place and how to mend it. It exits 1 when there is one, and
otherwise says what the clients may do.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("check takes one folder of policy files, as in: authserver check policies")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			// An empty folder loads: it has no mistake, and no client either.
			if _, err := os.ReadDir(args[0]); err != nil {
				return fmt.Errorf("the policy folder: %w", err)
			}
			grants, err := clients.Load(os.DirFS(args[0]), os.LookupEnv)
			if mistakes, ok := errors.AsType[policy.Mistakes](err); ok {
				return within(args[0], mistakes)
			}
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "ok: %s, version %.12s\n", count(len(grants.Names()), "client"), grants.Version)
			for _, name := range grants.Names() {
				c, _ := grants.Client(name)
				fmt.Fprintf(out, "  %s: %s\n", name, strings.Join(c.Grants, ", "))
			}
			return nil
		},
	}
}

// within names the files of mistakes as seen from here, so that a click or a
// copied path opens them.
func within(dir string, mistakes policy.Mistakes) policy.Mistakes {
	shown := slices.Clone(mistakes)
	for i := range shown {
		if shown[i].Pos.File != "" {
			shown[i].Pos.File = filepath.Join(dir, shown[i].Pos.File)
		}
	}
	return shown
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
