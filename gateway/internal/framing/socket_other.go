//go:build !unix

package framing

// socket cannot be looked at here.
type socket struct{}

func newSocket(any) *socket { return nil }

func (*socket) waiting() (bool, error) { return false, nil }
