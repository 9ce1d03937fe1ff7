package framing

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
)

// ErrMalformed is what every error about what a backend sent is.
var ErrMalformed = errors.New("malformed answer")

// MalformedError says that a backend sent what could be read in two ways, or
// what nobody asked for. errors.Is tells it by ErrMalformed.
type MalformedError struct {
	// Reason is one of a small fixed set, fit for a metric.
	Reason string
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("the backend's answer was refused (%s): it can be read in two ways, or nobody asked for it", e.Reason)
}

// Unwrap makes errors.Is(err, ErrMalformed) true.
func (e *MalformedError) Unwrap() error { return ErrMalformed }

// ErrRequest is returned by Write when what is written is not one sound request
// after the other, each after the answer to the one before. It is a mistake of
// ours; the backend sees nothing of that Write.
var ErrRequest = errors.New("not a request that can be read in one way")

// NewClient returns a connection on which http.Transport sees only answers that
// can be read in one way, for a new connection to a backend that speaks
// HTTP/1.1, and nothing else: wrap what DialContext returns (for plain http),
// or the *tls.Conn with its handshake done that DialTLSContext returns (then
// without HTTP/2).
//
// An answer is refused for what makes parsers disagree where it ends: a
// Content-Length beside a Transfer-Encoding, twice, or odd; a Transfer-Encoding
// other than one "chunked"; bare CR or LF, folded or malformed fields, control
// characters; chunk extensions; a 1xx or 204 with a body; a 101 that was not
// asked for. The reads then fail with a *MalformedError, and RoundTrip, or the
// read of the response's body, with an error that wraps it; http.Transport does
// not ask again. Nothing of a refused head reaches the caller.
//
// Octets that nobody asked for, before the first request or behind an answer,
// would be given to the next caller as its answer (response queue poisoning).
// The connection is given up instead; the request that would have been next is
// sent on another one where http.Transport can: it does so with every request
// without a body or with GetBody, since nothing of it was written.
//
// One request at a time may be under way. After a 101, and after a 2xx to
// CONNECT, octets pass unchecked both ways. Read and Write may be called by two
// goroutines, as http.Transport does.
func NewClient(conn net.Conn) net.Conn {
	c := &client{stream: stream{Conn: conn}, socket: newSocket(conn), asking: scanner{hold: never, pause: true}}
	c.scan.answers = &c.question
	if _, ok := conn.(interface{ CloseWrite() error }); ok {
		return halfClosing{c}
	}
	return c
}

// halfClosing is a client whose side can be closed alone.
type halfClosing struct{ *client }

func (h halfClosing) CloseWrite() error { return closeWrite(h.Conn) }

// broken stands in for a refused answer of which nothing was passed on. Without
// a first line http.Transport would ask again elsewhere, or tell an error of its
// own; behind one it tells that of the read that follows.
const broken = "HTTP/1.1 502 Bad Gateway\r\n"

type client struct {
	stream   // belongs to who reads
	socket   *socket
	question question
	tunnel   atomic.Bool
	failed   atomic.Pointer[MalformedError]

	asking scanner // belongs to who writes
}

func (c *client) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return c.Conn.Read(p)
	}
	for {
		tunnelled := c.tunnel.Load()
		if tunnelled {
			c.clear = len(c.ahead)
		}
		if c.at < c.clear {
			return c.pass(p), nil
		}
		if tunnelled {
			return c.Conn.Read(p)
		}
		if err := c.failed.Load(); err != nil {
			return 0, err
		}
		n, why, err := c.read(p)
		if why != none {
			c.failed.CompareAndSwap(nil, &MalformedError{Reason: why.String()})
			if why != unasked && c.scan.state <= fields && !c.scan.begun {
				c.put(broken)
			} else {
				c.put("")
			}
		} else if c.scan.state == tunnel {
			c.tunnel.Store(true)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *client) Write(p []byte) (int, error) {
	if len(p) == 0 || c.tunnel.Load() {
		return c.Conn.Write(p)
	}
	if c.asking.state == decide {
		c.asking.state = start
	}
	if c.asking.state == start && len(c.asking.carry) == 0 {
		if err := c.begin(p); err != nil {
			return 0, err
		}
	}
	used, why := c.asking.feed(p)
	if why != none || used < len(p) {
		// What remains of the request must not be finished by what comes next.
		c.failed.CompareAndSwap(nil, &MalformedError{Reason: badRequest.String()})
		return 0, fmt.Errorf("%w (%s)", ErrRequest, why)
	}
	if c.asking.upgrade {
		c.question.upgrade()
	}
	return c.Conn.Write(p)
}

// begin notes a request before its first octet is written, if the connection is
// in a state to take one.
func (c *client) begin(p []byte) error {
	if err := c.failed.Load(); err != nil {
		return err
	}
	if err := c.quiet(); err != nil {
		return err
	}
	if !c.question.put(asked(p)) {
		return fmt.Errorf("%w: the answer to the one before is not complete", ErrRequest)
	}
	return nil
}

// quiet fails when something waits to be read although nothing was asked: it
// would be taken for the answer to what is asked next. Who reads may be about
// to find it, but after the request is noted could not tell any more. It fails
// also when the backend has closed: better before the request is written, when
// it may be sent elsewhere whatever it is.
func (c *client) quiet() error {
	waiting, err := c.socket.waiting()
	if err != nil {
		return err
	}
	if waiting {
		malformed := &MalformedError{Reason: unasked.String()}
		c.failed.CompareAndSwap(nil, malformed)
		return malformed
	}
	return nil
}
