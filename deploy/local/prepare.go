package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"portcullis/certs"
	"portcullis/services/chassis"
)

// commandTimeout bounds one run of a command line tool of ours.
const commandTimeout = 30 * time.Second

// folders makes what the system writes to, for its owner only.
func (s settings) folders() error {
	for _, dir := range []string{"data", "log", "secrets"} {
		if err := os.MkdirAll(filepath.Join(s.run, dir), 0o700); err != nil {
			return fmt.Errorf("making the folders of the run: %w", err)
		}
	}
	for _, name := range slices.Concat([]string{"authserver"}, slices.Collect(maps.Keys(servicePorts()))) {
		if err := os.MkdirAll(s.data(name), 0o700); err != nil {
			return fmt.Errorf("making the folders of the run: %w", err)
		}
	}
	return nil
}

// lock takes the run folder for this process, until it ends: two systems on
// one set of databases and secrets would undo each other's work.
func (s settings) lock() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.run, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("the system already runs in %q: stop it, or start another beside it with PORT_BASE=20000 bin/up --run DIR", s.run)
	}
	return f, nil
}

// freePorts fails when a port is taken, before anything is started.
func (s settings) freePorts() error {
	var taken []error
	for _, addr := range s.addresses() {
		listeners, err := chassis.Listen(addr, "--port-base")
		if err != nil {
			taken = append(taken, err)
		}
		for _, l := range listeners {
			l.Close()
		}
	}
	return errors.Join(taken...)
}

// inputs fails when a program was not built or the policies are elsewhere.
func (s settings) inputs() error {
	for _, name := range []string{"authserver", "hotel", "gateway"} {
		if _, err := os.Stat(s.program(name)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the program %q is not built: run make build", s.program(name))
		} else if err != nil {
			return err
		}
	}
	if _, err := os.ReadDir(s.policies); err != nil {
		return fmt.Errorf("the policies (--policies): %w", err)
	}
	return nil
}

// certificates makes or renews the certificate of every process.
func (s settings) certificates(now time.Time) (map[string]certs.Files, error) {
	authority, err := certs.Dev(s.certs, now)
	if err != nil {
		return nil, err
	}
	files := map[string]certs.Files{}
	for _, name := range serviceNames() {
		if files[name], err = authority.Leaf(name, now); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// secrets makes sure that every client has one that works. It asks the token
// service's own tool, for only that knows; one that works is kept.
func (s settings) secrets(ctx context.Context, env []string) error {
	for _, name := range clientNames() {
		file := s.secret(name)
		common := []string{"client", "secret", name, "--data", s.data("authserver")}
		if _, err := os.Stat(file); err == nil {
			if s.tool(ctx, env, append(common, "--check", file)...) == nil {
				continue
			}
		}
		if err := s.tool(ctx, env, append(common, "--policies", s.policies, "--out", file)...); err != nil {
			return fmt.Errorf("making the secret of client %q: %w", name, err)
		}
	}
	return nil
}

// tool runs a command of the authserver; its error is what the tool said.
func (s settings) tool(ctx context.Context, env []string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.program("authserver"), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
