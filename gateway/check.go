package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"

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
)

func checkCommand(stdout, stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR",
		Short: "Find every mistake in a folder of policy files",
		Long: "Check loads, validates and compiles the policy files in DIR as serve would, and prints every mistake at\n" +
			"once, each with its place and how to mend it. It exits 1 when there is one.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("check takes one folder of policy files, as in: gateway check policies")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			snapshot, err := check(args[0])
			if err != nil {
				mistakes, ok := errors.AsType[policy.Mistakes](err)
				if !ok {
					return err
				}
				show(stderr, mistakes, args[0])
				return errReported
			}
			report(stdout, snapshot)
			return nil
		},
	}
}

// show prints mistakes with their files as seen from here, so that a click or
// a copied path opens them.
func show(w io.Writer, mistakes policy.Mistakes, dir string) {
	shown := slices.Clone(mistakes)
	for i := range shown {
		if shown[i].Pos.File != "" {
			shown[i].Pos.File = filepath.Join(dir, shown[i].Pos.File)
		}
	}
	shown.Render(w, terminal(w))
}

// check compiles a folder without connecting to anything.
func check(dir string) (*pipeline.Snapshot, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("the policy folder: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%q is a file; check takes the folder that holds the policy files", dir)
	}
	files := os.DirFS(dir)
	doc, err := policy.Check(files, os.LookupEnv)
	if err != nil {
		// What is missing altogether is told in the same run, unless it may stand
		// in what could not be read.
		if whole, unread := policy.Load(files, os.LookupEnv); unread == nil {
			err = policy.Join(err, compile.Servable(whole))
		}
		return nil, err
	}
	compiler, err := offline()
	if err != nil {
		return nil, err
	}
	return compiler.Compile(doc, nil)
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
		Follow:     func(compile.Feed) (*token.Revocations, error) { return nil, nil },
	})
}

var errOffline = errors.New("check reaches nobody")

// unreachable is the network and the credentials of check.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, errOffline }

func (unreachable) Token(context.Context, string) (string, error) { return "", errOffline }

// report says what was found sound, and names every stage left out.
func report(w io.Writer, s *pipeline.Snapshot) {
	rules := 0
	for _, n := range s.WAFRules {
		rules += n
	}
	fmt.Fprintf(w, "ok: %s on %s, %s in %s, version %.12s\n", count(len(s.Routes), "route"), count(len(s.Hosts), "host"), count(rules, "WAF rule"), count(len(s.WAFRules), "profile"), s.Version)
	for _, r := range s.Routes {
		for _, o := range r.OptOuts {
			fmt.Fprintf(w, "note: %s: route %q goes without %s: %s\n", r.Place, r.Name, o.Stage, o.Reason)
		}
	}
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
