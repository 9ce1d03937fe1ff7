package control

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/net/netutil"
)

const (
	// pathMost is what a socket address holds on Linux (unix(7)), the final zero
	// left out; past it the system says no more than "invalid argument".
	pathMost = 107
	// connectionsMost bounds who is connected at once: a few operators.
	connectionsMost = 16
)

// listen makes the socket at path, for its owner alone. What a process that is
// gone has left there is replaced; a socket that somebody listens on is not.
func listen(path string, log *slog.Logger) (net.Listener, error) {
	if len(path) > pathMost {
		return nil, fmt.Errorf("the control socket %q has a path of %d bytes; %d is the most", path, len(path), pathMost)
	}
	if err := private(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := vacate(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("the control socket: %w", err)
	}
	// Whoever connects before the mode is set is asked for their user all the same.
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("the control socket: %w", err)
	}
	return netutil.LimitListener(own{l, log}, connectionsMost), nil
}

// private refuses a folder in which others could put a socket of their own in
// the place of ours, and be told to skip tests by our operators.
func private(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("the folder of the control socket: %w", err)
	}
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("others may write to %q, the folder of the control socket: choose another, or chmod go-w it", dir)
	}
	return nil
}

// vacate removes the socket of a process that is gone.
func vacate(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the control socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%q is not a socket: move it away, or name another with --control", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("a gateway listens on the control socket %q already: stop it, or name another with --control", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("the control socket: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("the control socket: %w", err)
	}
	return nil
}

// own hands over connections of the user that this process runs as, and of root.
// A mode may be changed by mistake, and a descriptor handed on.
type own struct {
	net.Listener
	log *slog.Logger
}

func (o own) Accept() (net.Conn, error) {
	for {
		conn, err := o.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peer(conn)
		if err == nil && allowed(uid, os.Geteuid()) {
			return conn, nil
		}
		o.log.Warn("a connection to the control socket was refused", "uid", uid, "error", err)
		_ = conn.Close()
	}
}

func allowed(uid, own int) bool { return uid == own || uid == 0 }
