package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"portcullis/gateway/internal/control"
)

// controlDefault is where `make run` puts the control socket.
const controlDefault = ".run/gateway.sock"

func controlFlag(f *pflag.FlagSet, path *string) {
	f.StringVar(path, "control", controlDefault, "the gateway's control socket, as named by serve --control")
}

func reloadCommand(stdout, stderr io.Writer) *cobra.Command {
	var path, skip string
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have a running gateway load its policies now, and say what came of it",
		Long: "Reload waits until the policies have been checked and their own tests have run, and prints which version is\n" +
			"in force then. It exits 1 when they were refused; the policy before them stays in force.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("skip-tests") {
				if err := control.CheckReason(skip); err != nil {
					return fmt.Errorf("--skip-tests: %w", err)
				}
			}
			done, err := control.NewClient(path).Reload(cmd.Context(), skip)
			if err != nil {
				return err
			}
			if !done.Refused {
				fmt.Fprintln(stdout, versionInForce(done))
				return nil
			}
			show(stderr, done.Mistakes, near(done.Policies))
			if done.Error != "" {
				fmt.Fprintln(stderr, done.Error)
			}
			fmt.Fprintf(stderr, "refused; version %.12s stays in force\n", done.Policy.Version)
			return errReported
		},
	}
	controlFlag(cmd.Flags(), &path)
	cmd.Flags().StringVar(&skip, "skip-tests", "", "take the policies without running their tests, for this reason: for emergencies, and seen in /status")
	return cmd
}

// versionInForce says which policy is in force, and how well it was proved.
func versionInForce(done control.Reloaded) string {
	p := done.Policy
	text := fmt.Sprintf("ok: version %.12s is in force", p.Version)
	then := "; "
	if !p.Since.Equal(p.Tried) {
		text += fmt.Sprintf(", unchanged since %s (%s)", p.Since.Local().Format("2006-01-02 15:04:05"), p.Why)
		then = "; then " // the tests do not run again
	}
	switch {
	case p.Tests.Skipped != "":
		text += then + "its tests were skipped: " + p.Tests.Skipped
	case p.Tests.Run > 0:
		text += then + fmt.Sprintf("%s passed in %s", count(p.Tests.Run, "test"), p.Tests.Took)
	}
	return text
}

// near is a folder as seen from here, if it is below.
func near(dir string) string {
	here, err := os.Getwd()
	if err != nil {
		return dir
	}
	below, err := filepath.Rel(here, dir)
	if err != nil || below == ".." || strings.HasPrefix(below, "../") {
		return dir
	}
	return below
}
