// Bench tells what the gateway and the token service cost: their own CPU time a
// request or a token, beside what they are compared with in the same run: a bare
// httputil.ReverseProxy that has the same certificate, client, body and upstream,
// and a signature alone. It tells too how long a good client waits while others
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
	"syscall"
)

// role is the hidden flag this program starts itself again with.
const role = "-role="

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
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
		return fmt.Errorf("unknown argument %q; bench takes none", args[0])
	}
	fmt.Fprintln(os.Stderr, "building the gateway and the token service, which may take minutes the first time")
	s, err := start(ctx)
	if s != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{s.gateway, s.tokens, s.checks, s.flooded, s.revoked, s.booked} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
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
