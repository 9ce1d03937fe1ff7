package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portcullis/gateway/internal/trial"
	"portcullis/policies/policy"
)

// trying is what the flags of test say.
type trying struct {
	output, run, least string
	coverage           bool
	timeout            time.Duration
}

func testCommand(stdout, stderr io.Writer) *cobra.Command {
	var t trying
	cmd := &cobra.Command{
		Use:   "test DIR",
		Short: "Run the tests of a folder of policy files against the real stages",
		Long: "Test sends the requests that the tests: of the policy files in DIR describe through the whole gateway in this\n" +
			"process, without a network: tokens are really signed and verified, limits count on the tests' own clock, and\n" +
			"upstreams answer as the tests say. It exits 1 when a test fails, or when the tests cover less than\n" +
			"--min-coverage of the routes, rules, limits and profiles.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("test takes one folder of policy files, as in: gateway test policies")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return t.do(cmd.Context(), stdout, stderr, args[0]) },
	}
	f := cmd.Flags()
	f.StringVarP(&t.output, "output", "o", "text", "text, json or junit")
	f.StringVar(&t.run, "run", "", "only the tests whose names match this regular expression")
	f.BoolVar(&t.coverage, "coverage", false, "list what no test has seen work")
	f.StringVar(&t.least, "min-coverage", "", "fail when the tests cover less than this, such as 100%")
	f.DurationVar(&t.timeout, "timeout", 5*time.Minute, "how long all tests may take")
	return cmd
}

func (t trying) do(ctx context.Context, stdout, stderr io.Writer, dir string) error {
	least, err := t.check()
	if err != nil {
		return err
	}
	doc, err := loadPolicies("test", dir)
	var tests []*policy.Test
	var gateway *trial.Trial
	if err == nil {
		if tests, err = t.wanted(doc); err != nil {
			return err
		}
		gateway, err = trial.New(trial.Config{Document: doc})
	}
	if err != nil {
		return reported(stderr, err, dir)
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	shown := progress{w: stderr, all: len(tests), on: terminal(stderr)}
	report := gateway.Run(ctx, tests, shown.ended)
	shown.clear()
	if err := t.print(stdout, report, doc, dir); err != nil {
		return err
	}
	short := least > 0 && !report.Coverage.Reaches(least)
	if short {
		fmt.Fprintf(stderr, "coverage is %d%%, less than the %d%% asked for\n", report.Coverage.Percent(), least)
	}
	if short || report.Failed() > 0 {
		return errReported
	}
	return nil
}

// check tells what is wrong with the flags.
func (t trying) check() (least int, err error) {
	switch t.output {
	case "text", "json", "junit":
	default:
		return 0, fmt.Errorf("--output %q is not text, json or junit", t.output)
	}
	if t.least == "" {
		return 0, nil
	}
	least, err = strconv.Atoi(strings.TrimSuffix(t.least, "%"))
	if err != nil || least < 1 || least > 100 {
		return 0, fmt.Errorf("--min-coverage %q is not a share from 1%% to 100%%", t.least)
	}
	if t.run != "" {
		return 0, errors.New("--min-coverage counts all tests: it cannot be used with --run")
	}
	return least, nil
}

// wanted are the tests to be run.
func (t trying) wanted(doc *policy.Document) ([]*policy.Test, error) {
	if len(doc.Tests) == 0 {
		return nil, errors.New("no policy file has tests: write some below tests: in a file of its own, such as tests/routes.yaml")
	}
	pattern, err := regexp.Compile(t.run)
	if err != nil {
		return nil, fmt.Errorf("--run %q is not a regular expression: %w", t.run, err)
	}
	var tests []*policy.Test
	for _, test := range doc.Tests {
		if pattern.MatchString(test.Name.V) {
			tests = append(tests, test)
		}
	}
	if len(tests) == 0 {
		return nil, fmt.Errorf("no test has a name that matches --run %q", t.run)
	}
	return tests, nil
}

func (t trying) print(w io.Writer, report trial.Report, doc *policy.Document, dir string) error {
	switch t.output {
	case "json":
		return report.JSON(w, dir)
	case "junit":
		return report.JUnit(w, doc, dir)
	}
	if err := report.Text(w, doc, dir, terminal(w)); err != nil {
		return err
	}
	if t.coverage {
		for _, g := range report.Coverage.Gaps {
			fmt.Fprintln(w, g.Text(dir))
		}
	}
	fmt.Fprintln(w, report.Summary())
	return nil
}

// slow is how long tests may run before it is shown how far they are.
const slow = time.Second

// progress shows on a terminal how far a run is that takes long.
type progress struct {
	w         io.Writer
	on, shown bool
	done, all int
	began     time.Time
}

func (p *progress) ended(trial.Result) {
	p.done++
	if p.began.IsZero() {
		p.began = time.Now()
	}
	if p.on && time.Since(p.began) > slow {
		fmt.Fprintf(p.w, "\r%d of %d tests", p.done, p.all)
		p.shown = true
	}
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
