// Command up (make run) is the whole system on one machine: it makes
// certificates and client secrets, starts a sandbox for the world outside, the
// token service, the services and the gateway, says how to try them, and stops
// them in order.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"portcullis/services/chassis"
)

func main() { os.Exit(run(os.Args[1:], os.Getenv("PORT_BASE"), os.Stdout, os.Stderr)) }

// run does it all until a signal comes, and returns the exit code.
func run(args []string, portBase string, stdout, stderr io.Writer) int {
	s, err := parse(args, portBase, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "up:", err)
		return 2
	}
	ctx, stop := chassis.Signals(context.Background())
	defer stop()
	if err := s.system(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "up:", err)
		return 1
	}
	return 0
}

func parse(args []string, portBase string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is said once, by run
	flags.StringVar(&s.bin, "bin", "bin", "folder of the programs")
	flags.StringVar(&s.policies, "policies", "policies", "folder of the policies")
	flags.StringVar(&s.certs, "certs", "certs/dev", "folder for the development certificates")
	flags.StringVar(&s.run, "run", ".run", "folder for data, logs, secrets and the environment file")
	flags.StringVar(&portBase, "port-base", portBase, "moves all ports: the gateway listens on this plus 443 (PORT_BASE; default 8000)")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stderr)
		flags.Usage()
		return s, err
	} else if err != nil {
		return s, fmt.Errorf("%w; see -h", err)
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("%q is not understood: there are only flags, see -h", flags.Arg(0))
	}
	var err error
	s.base, err = parseBase(portBase)
	return s, err
}

// system brings everything up, waits, and takes it down. It returns nil when a
// signal ended it and all drained.
func (s settings) system(ctx context.Context, out io.Writer) error {
	began := time.Now()
	// See supervisor: children are started from this thread, which must live as
	// long as they do.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := s.inputs(); err != nil {
		return err
	}
	if err := s.folders(); err != nil {
		return err
	}
	held, err := s.lock()
	if err != nil {
		return err
	}
	defer held.Close()
	if err := s.freePorts(); err != nil {
		return err
	}
	// From here on the file would tell of a system that is not up yet.
	if err := os.Remove(s.envFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	files, err := s.certificates(began)
	if err != nil {
		return err
	}
	// People use the file from other folders than this one.
	ca, err := filepath.Abs(files["gateway"].CA)
	if err != nil {
		return err
	}
	env := s.environment(ca)
	if err := s.secrets(ctx, env); err != nil {
		return err
	}
	variables, err := s.variables(ca)
	if err != nil {
		return err
	}

	processes := &supervisor{log: s.log, env: env, out: out}
	err = processes.up(ctx, s.commands(files))
	if err == nil {
		err = writeEnv(s.envFile(), variables)
	}
	if err == nil {
		s.show(out, time.Since(began))
		err = processes.watch(ctx, func() {
			// Whoever holds a certificate re-reads it. A failure shows in time:
			// there are weeks left, and the next start says why.
			_, _ = s.certificates(time.Now())
		})
	}
	if ctx.Err() != nil {
		err = nil // a signal while starting is a wish, not a failure
	}
	return errors.Join(err, processes.down())
}
