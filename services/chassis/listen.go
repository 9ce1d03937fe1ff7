package chassis

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Listen opens TCP listeners on addr. The host "localhost" means both 127.0.0.1
// and, where the system has it, ::1, on the same port; port 0 picks one that is
// free. flagName is the flag that set addr, for the error of a busy port, which
// says how to move it and, where the system tells, who holds it.
func Listen(addr, flagName string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address to listen on (%s): write host:port, for instance localhost:8443", addr, flagName)
	}
	if host != "localhost" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, explain(err, addr, port, flagName)
		}
		return []net.Listener{l}, nil
	}
	// With port 0 the port picked on 127.0.0.1 may be taken on ::1: pick again.
	for tries := 0; ; tries++ {
		both, err := listenBoth(port)
		if err == nil {
			return both, nil
		}
		if port != "0" || tries == 10 {
			return nil, explain(err, addr, port, flagName)
		}
	}
}

func listenBoth(port string) ([]net.Listener, error) {
	four, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	same := strconv.Itoa(four.Addr().(*net.TCPAddr).Port)
	six, err := net.Listen("tcp6", net.JoinHostPort("::1", same))
	switch {
	case err == nil:
		return []net.Listener{four, six}, nil
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return []net.Listener{four}, nil // a machine without IPv6
	default:
		four.Close()
		return nil, err
	}
}

// explain turns the error of a listener into one that says what to do.
func explain(err error, addr, port, flagName string) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		who := "another process"
		if h, ok := holder(port); ok {
			who = h
		}
		return fmt.Errorf("port %s is taken by %s: stop that, or move the port with %s or PORT_BASE", port, who, flagName)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %s may not be opened by this user: use a port above 1023 with %s or PORT_BASE: %w", port, flagName, err)
	default:
		return fmt.Errorf("listening on %q (%s): %w", addr, flagName, err)
	}
}
