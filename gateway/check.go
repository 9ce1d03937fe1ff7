package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/compile"
	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/upstream"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
	"portcullis/services/chassis"
)

// checking is what the flags of check say.
type checking struct {
	output string
	ci     bool
	now    time.Time
}

func checkCommand(stdout, stderr io.Writer) *cobra.Command {
	c := checking{now: time.Now()}
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Find every mistake in a folder of policy files",
		Long: "Check loads, validates and compiles the policy files in DIR as serve would, and prints every mistake at\n" +
			"once, each with its place and how to mend it. Then it tells what is worth knowing: exemptions that end\n" +
			"within 30 days or have ended, stages left out, what is in shadow, rules and definitions without effect.\n\n" +
			"What only the gateway's machine has it does not look for: the files of ca:, key: and ${file:PATH}.\n\n" +
			"It exits 1 when there is a mistake. With --ci an exemption past its day is one: it still holds in a running\n" +
			"gateway, which a date never changes, but it does not pass a review.",
		Example: "  gateway check policies\n" +
			"  gateway check --ci -o github policies        # annotations on a pull request\n" +
			"  gateway check --ci -o sarif policies > policies.sarif",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("check takes one folder of policy files, as in: gateway check policies")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return c.do(stdout, stderr, args[0]) },
	}
	cmd.Flags().StringVarP(&c.output, "output", "o", "text", "text, json, sarif or github")
	cmd.Flags().BoolVar(&c.ci, "ci", false, "an exemption past its day is a mistake")
	return cmd
}

func (c checking) do(stdout, stderr io.Writer, dir string) error {
	if !slices.Contains([]string{"text", "json", "sarif", "github"}, c.output) {
		return fmt.Errorf("--output %q is not text, json, sarif or github", c.output)
	}
	found, snapshot, err := c.check(dir)
	if err != nil {
		return err
	}
	r := policy.Report{Tool: chassis.Build(), Mistakes: seenFrom(dir)(found), Explanations: explanations()}
	switch c.output {
	case "json":
		err = r.JSON(stdout)
	case "sarif":
		err = r.SARIF(stdout)
	case "github":
		err = r.GitHub(stdout)
	default:
		show(stderr, found.Of(policy.Error, policy.Warning), dir)
		if snapshot != nil && len(found.Of(policy.Error)) == 0 {
			report(stdout, snapshot, r.Mistakes.Of(policy.Note))
		}
	}
	if err != nil {
		return err
	}
	if len(found.Of(policy.Error)) > 0 {
		return errReported
	}
	return nil
}

// show prints mistakes with their files as seen from here, so that a click or
// a copied path opens them, and says where to read on.
func show(w io.Writer, mistakes policy.Mistakes, dir string) {
	if len(mistakes) == 0 {
		return
	}
	seenFrom(dir)(mistakes).Render(w, terminal(w))
	if codes := mistakes.Codes(); len(codes) == 1 {
		fmt.Fprintf(w, "\ngateway help %s says more\n", codes[0])
	} else if len(codes) > 1 {
		fmt.Fprintf(w, "\ngateway help %s says more; so it does for %s\n", codes[0], strings.Join(codes[1:], ", "))
	}
}

// check finds all that there is to say of a folder, without connecting to
// anything. The snapshot is nil when it cannot be served.
func (c checking) check(dir string) (policy.Mistakes, *pipeline.Snapshot, error) {
	compiler, err := offline()
	if err != nil {
		return nil, nil, err
	}
	var snapshot *pipeline.Snapshot
	doc, err := loadPolicies("check", dir)
	if err == nil {
		snapshot, err = compiler.Compile(doc, nil)
	} else if _, ok := errors.AsType[policy.Mistakes](err); !ok {
		return nil, nil, err
	} else if whole, unread := policy.Load(os.DirFS(dir), os.LookupEnv); unread == nil {
		// What is missing altogether, and what is wrong within one value, is told
		// in the same run. While a part cannot be read it may stand there.
		doc, err = whole, policy.Join(err, compile.Servable(whole), compiler.Pieces(whole))
	}
	found, ok := errors.AsType[policy.Mistakes](err)
	if err != nil && !ok {
		return nil, nil, err
	}
	if doc != nil {
		found = append(found, c.advice(doc)...)
		if snapshot != nil {
			found = append(found, compile.Advise(doc, snapshot)...)
		}
	}
	return found, snapshot, nil
}

// advice is what is worth knowing.
func (c checking) advice(doc *policy.Document) policy.Mistakes {
	advice := policy.Advise(doc, c.now)
	for i, m := range advice {
		if c.ci && m.Code == policy.CodeExpired {
			advice[i].Severity = policy.Error
		}
	}
	return advice
}

// offline is a compiler whose parts reach nobody: files that only the running
// gateway has (secrets, certificates) are not asked for.
func offline() (*compile.Compiler, error) {
	limits, err := limit.NewEngine(limit.Config{})
	if err != nil {
		return nil, err
	}
	meters, err := edge.NewMeters(prometheus.NewRegistry())
	if err != nil {
		return nil, err
	}
	return compile.New(compile.Config{
		Limits: limits, Gate: waf.NewGate(0), Meter: meters.Route, Log: slog.New(slog.DiscardHandler),
		IssuerHTTP: func(string) (*http.Client, error) { return &http.Client{Transport: unreachable{}}, nil },
		Credential: func(upstream.Kind, string) (upstream.Credential, error) { return unreachable{}, nil },
		Secret:     func(string) (string, error) { return "check-reads-no-secret", nil },
		ClientKey:  anyKey,
		Follow:     func(compile.Feed) (*token.Revocations, error) { return nil, nil },
	})
}

// anyKey stands for a private key that only the running gateway has.
func anyKey(string) (*token.ClientKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return token.NewClientKey(key)
}

var errOffline = errors.New("check reaches nobody")

// unreachable is the network and the credentials of check.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, errOffline }

func (unreachable) Token(context.Context, string) (string, error) { return "", errOffline }

// report says what was found sound, and what is worth knowing of it.
func report(w io.Writer, s *pipeline.Snapshot, notes policy.Mistakes) {
	rules := 0
	for _, n := range s.WAFRules {
		rules += n
	}
	fmt.Fprintf(w, "ok: %s on %s, %s in %s, version %.12s\n", count(len(s.Routes), "route"), count(len(s.Hosts), "host"), count(rules, "WAF rule"), count(len(s.WAFRules), "profile"), s.Version)
	notes.List(w)
}

// terminal reports whether colours may be used: on a terminal, unless NO_COLOR
// is set.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0
}

// count writes "1 route", "2 routes".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
