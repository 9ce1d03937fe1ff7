// Bench tells what the gateway and the token service cost: their own CPU time a
// request or a token, beside what they are compared with in the same run: a bare
// httputil.ReverseProxy that has the same certificate, client, body and upstream,
// nginx and haproxy where they are installed, also with ModSecurity, and a signature alone. It tells too how long a good client waits while others
// guess secrets, how soon a revoked token is refused, and what a paid booking costs
// each process of the hotel. Load generator and
// backend are processes of their own and are not counted. Everything stays on
// this machine. Run it with `make bench`.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// longest bounds the whole: on a machine that is this busy no figure means much.
const longest = 40 * time.Minute

// role is the hidden flag this program starts itself again with.
const role = "-role="

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("it takes longer than %v; what has been printed stands", longest))
	defer cancel()
	err := run(ctx, os.Args[1:])
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		cancel()
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case role + "backend":
			return serveBackend(args[1:])
		case role + "proxy":
			return serveProxy(args[1:])
		case role + "service":
			return serveService(args[1:])
		}
	}
	chosen, err := choose(args)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "building the gateway and the token service, which may take minutes the first time")
	s, err := start(ctx)
	if s != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	for _, p := range chosen {
		if err := p.run(s, ctx); err != nil {
			return err
		}
	}
	return nil
}

// part is one thing that is measured and printed at once.
type part struct {
	name string
	run  func(*system, context.Context) error
}

// choose gives the parts that are named, or all of them in their order.
func choose(names []string) ([]part, error) {
	all := []part{
		{"gateway", (*system).gateway}, {"forward", (*system).forwarded}, {"waf", (*system).walled}, {"tokens", (*system).tokens}, {"checks", (*system).checks},
		{"flood", (*system).flooded}, {"revoked", (*system).revoked}, {"booked", (*system).booked},
	}
	if len(names) == 0 {
		return all, nil
	}
	var chosen []part
	for _, name := range names {
		i := slices.IndexFunc(all, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown argument %q; bench takes the names of parts: gateway, forward, waf, tokens, checks, flood, revoked, booked", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// gateway and what follows measure one thing each and print it at once.
func (s *system) gateway(ctx context.Context) error {
	rows := s.rows()
	if err := measure(ctx, "gateway", rows, os.Stderr); err != nil {
		return err
	}
	return report(os.Stdout, rows)
}

func (s *system) tokens(ctx context.Context) error {
	rows, err := s.tokenRows()
	if err != nil {
		return err
	}
	if err := measure(ctx, "token service", plain(rows), os.Stderr); err != nil {
		return err
	}
	return reportTokens(os.Stdout, rows)
}

func (s *system) checks(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := s.newChecking(ctx)
	if err != nil {
		return err
	}
	rows := s.checkRows(c)
	if err := measure(ctx, "verifier", rows, os.Stderr); err != nil {
		return err
	}
	allocations, err := c.allocations(ctx)
	if err != nil {
		return err
	}
	return reportChecks(os.Stdout, rows, allocations)
}

func (s *system) flooded(ctx context.Context) error {
	c, err := s.newCrowd()
	if err != nil {
		return err
	}
	all := floods()
	if err := c.suffer(ctx, all, os.Stderr); err != nil {
		return err
	}
	return reportFloods(os.Stdout, all)
}

func (s *system) revoked(ctx context.Context) error {
	watchers := s.watchers()
	if err := s.revoke(ctx, watchers, os.Stderr); err != nil {
		return err
	}
	return reportRevoked(os.Stdout, watchers)
}
