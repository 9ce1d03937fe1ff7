//go:build !linux

package control

import (
	"net"
	"os"
)

// peer takes the socket's mode for an answer where the system tells no more.
func peer(net.Conn) (uid int, err error) { return os.Geteuid(), nil }
