//go:build unix

package framing

import (
	"errors"
	"io"
	"syscall"
)

// socket can be looked at beside a Read that waits on it.
type socket struct {
	raw  syscall.RawConn
	look func(fd uintptr) // made once, or every request would
	one  [1]byte
	n    int
	err  error
}

// newSocket returns nil where conn is no socket. Over TLS there is none to look
// at either: a session ticket is an octet too.
func newSocket(conn any) *socket {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw}
	s.look = func(fd uintptr) {
		for {
			s.n, _, s.err = syscall.Recvfrom(int(fd), s.one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			if !errors.Is(s.err, syscall.EINTR) {
				return
			}
		}
	}
	return s
}

// waiting reports whether there is something to read, without waiting for it. It
// fails when there will never be.
func (s *socket) waiting() (bool, error) {
	if s == nil {
		return false, nil
	}
	if err := s.raw.Control(s.look); err != nil {
		return false, err
	}
	switch {
	case errors.Is(s.err, syscall.EAGAIN):
		return false, nil
	case s.err != nil:
		return false, s.err
	case s.n == 0:
		return false, io.EOF
	}
	return true, nil
}
