package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"portcullis/gateway/internal/tune"
)

// tuning is what the flags of waf tune say.
type tuning struct {
	policies         string
	good             []string
	clients, attacks int
}

func tuneCommand(stdout, stderr io.Writer, stdin io.Reader) *cobra.Command {
	var t tuning
	cmd := &cobra.Command{
		Use:   "tune EVENTS...",
		Short: "Propose exclusions for what recorded events show to be false positives, and prove them",
		Long: "Tune reads security events from files (- for the standard input) and groups what the rules of the WAF found by\n" +
			"profile, route and target. Where several clients that send nothing like an attack met the same rule, it proposes\n" +
			"the narrowest exclusion as YAML, with reason, owner and expiry to fill in, when it can be proved: requests known to\n" +
			"be good pass with it, and attacks of the Core Rule Set's own tests are refused at other targets as before. How many\n" +
			"were tried, and which attacks would pass at the target itself, stands beside it. Nothing is changed.\n\n" +
			"Good requests are those of the policies' own tests that are to be allowed, and the lines of --good files: each a\n" +
			"JSON body or a query string, as in must_pass, or a curl command.",
		Example: "  gateway waf tune --good good.txt events.log",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("tune takes files of recorded events, as in: gateway waf tune events.log")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.do(cmd.Context(), stdout, stderr, stdin, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.policies, "policies", "policies", "folder of policy files")
	f.StringArrayVar(&t.good, "good", nil, "file of requests that are known to be good, one a line; may be given again")
	f.IntVar(&t.clients, "clients", 3, "from how many clients a rule must have been seen at a target")
	f.IntVar(&t.attacks, "attacks", 300, "how many attacks are tried at the target, and a third of that at each other; -1 for all")
	return cmd
}

func (t tuning) do(ctx context.Context, stdout, stderr io.Writer, stdin io.Reader, events []string) error {
	if t.clients < 1 {
		return fmt.Errorf("--clients is %d: at least one client must have been seen", t.clients)
	}
	if t.attacks == 0 || t.attacks < -1 {
		return fmt.Errorf("--attacks is %d: it is a number from 1, or -1 for all", t.attacks)
	}
	doc, err := loadPolicies("tune", t.policies)
	var tuner *tune.Tuner
	if err == nil {
		tuner, err = tune.New(ctx, tune.Config{Document: doc, Clients: t.clients, Attacks: t.attacks})
	}
	if err != nil {
		return reported(stderr, err, t.policies)
	}
	for _, name := range t.good {
		if err := addGood(ctx, tuner, name); err != nil {
			return fmt.Errorf("--good: %w", err)
		}
	}
	if err := readEvents(stderr, stdin, events, tuner.Add); err != nil {
		return err
	}
	report, err := tuner.Report(ctx)
	if err != nil {
		return err
	}
	for _, p := range report.Proposals {
		p.Place.File = filepath.Join(t.policies, p.Place.File)
	}
	return report.Render(stdout)
}

func addGood(ctx context.Context, tuner *tune.Tuner, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return tuner.AddGood(ctx, name, file)
}
