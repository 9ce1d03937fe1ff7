// Bench tells what the gateway costs: its own CPU time a request, for the whole
// pipeline and for each stage, beside a bare httputil.ReverseProxy that has the
// same certificate, client, body and upstream in the same run. Load generator,
// backend and token service are processes of their own and are not counted.
// Everything stays on this machine. Run it with `make bench`.
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
	rows := s.rows()
	if err := measure(ctx, rows, os.Stderr); err != nil {
		return err
	}
	return report(os.Stdout, rows)
}
