package framing

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// Server is a connection that http.Server reads requests from. It passes sound
// ones on unchanged. The first that could be read in two ways is replaced by
// something that nobody could take for a request: http.Server answers it with
// 400 itself, after the answers that are due before it, and hangs up. In a body,
// it is the handler's read that fails.
//
// After a request with an Upgrade field, and after CONNECT, what follows is held
// back until it is known whose it is. When the handler takes the connection
// over (http.Hijacker), it passes unchecked; when the server reads on, it is a
// request like any other. Whoever takes over after any other request and wants
// unchecked bytes calls Tunnel.
type Server interface {
	net.Conn
	// Tunnel says that what follows is not HTTP. Only who has taken the
	// connection over may call it.
	Tunnel()
	// CloseWrite ends the writing side, where the connection below can do that.
	CloseWrite() error
}

// NewServer returns a connection on which http.Server sees only requests that
// can be read in one way. conn carries HTTP/1, nothing else, and was not read
// from; over TLS it is the *tls.Conn, with its handshake done: then
// Request.TLS is filled in. refused, which may be nil, is called once with the
// reason (one of Reasons) when the connection is refused.
func NewServer(conn net.Conn, refused func(reason string)) Server {
	// Part of a line between chunks must not be passed on: http.Server would
	// read "0;" and the poison behind it as a last chunk with an extension. Part
	// of a head may, and must: the bound on the time of a head begins with it.
	s := &server{lazy: lazy{Conn: conn}, refused: refused}
	s.stream = stream{Conn: &s.lazy, scan: scanner{hold: size}}
	if _, ok := conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
		return encrypted{s}
	}
	if _, ok := conn.(io.ReaderFrom); ok {
		return plain{s}
	}
	return s
}

// encrypted lets http.Server fill in Request.TLS. A connection in the clear must
// not have the method, or the server would believe it.
type encrypted struct{ *server }

func (e encrypted) ConnectionState() tls.ConnectionState {
	return e.lazy.Conn.(interface{ ConnectionState() tls.ConnectionState }).ConnectionState()
}

// plain lets http.Server send files and splice.
type plain struct{ *server }

func (p plain) ReadFrom(r io.Reader) (int64, error) { return p.lazy.Conn.(io.ReaderFrom).ReadFrom(r) }

// poison is no part of any request that net/http accepts, wherever in a head it
// stands, and none of a chunked body where a line of it should begin.
const poison = "\x00\r\n\r\n"

const (
	checked   uint32 = iota
	undecided        // a request that may begin a tunnel has ended
	tunnelled
)

type server struct {
	stream
	lazy    lazy // what stream reads from
	watch   watch
	refused func(reason string)

	// phase is what the handler's goroutine and the reader's have in common.
	phase atomic.Uint32
	bad   bool // refused: what is clear, then the end

	// peeked is an octet that was passed on while it was not known whose it is.
	peeked [1]byte
	peek   bool
}

func (s *server) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return s.Conn.Read(p)
	}
	if s.watch.gone != nil {
		octet, spared := s.watch.end()
		s.ahead = append(s.ahead, octet...)
		// A read of one octet that goes on with a message is repeated at once, and
		// served then.
		if len(p) == 1 && !spared && s.between() {
			s.watch.begin(s.Conn)
			return 0, nil
		}
	}
	for {
		phase := s.phase.Load()
		if phase == tunnelled {
			s.clear = len(s.ahead)
		}
		if s.at < s.clear {
			return s.pass(p), nil
		}
		switch {
		case s.bad:
			return 0, io.EOF
		case phase == tunnelled:
			return s.Conn.Read(p)
		case phase == undecided && len(p) == 1 && !s.peek:
			return s.readAhead(p)
		case phase == undecided:
			s.resume()
		default:
			n, why, err := s.read(p)
			s.after(why)
			if n > 0 || err != nil {
				return n, err
			}
		}
	}
}

// watched has gone called when the client leaves; see Watch.
func (s *server) watched(gone func()) { s.watch.gone = gone }

// between tells that what was read ended with a message, and nothing is known
// of another.
func (s *server) between() bool {
	return s.scan.state == start && len(s.scan.carry) == 0 && s.at == len(s.ahead) && !s.bad && s.phase.Load() == checked
}

// after acts on where the scanner stopped.
func (s *server) after(why reason) {
	if why != none {
		s.bad = true
		s.put(poison)
		if s.refused != nil {
			s.refused(why.String())
		}
	} else if s.scan.state == decide {
		s.short = false
		s.phase.Store(undecided)
	}
}

// readAhead serves http.Server's background read of one octet, by which it notices
// a client that left while a handler runs. It does not mean that the server
// reads on, so the octet may belong to a tunnel: it is looked at when that is
// known. One alone does no harm, the poison behind it is still no request.
func (s *server) readAhead(p []byte) (int, error) {
	var n int
	var err error
	if s.at < len(s.ahead) {
		s.clear = s.at + 1
		n = s.pass(p)
	} else {
		n, err = s.Conn.Read(p)
	}
	if n == 1 {
		s.peeked[0], s.peek = p[0], true
	}
	return n, err
}

// resume goes on after a request that began no tunnel.
func (s *server) resume() {
	if !s.phase.CompareAndSwap(undecided, checked) {
		return // taken over meanwhile
	}
	s.scan.state = start
	if !s.peek {
		return
	}
	s.peek = false
	if _, why := s.scan.feed(s.peeked[:]); why != none {
		s.after(why)
	}
}

func (s *server) Tunnel() { s.phase.Store(tunnelled) }

// SetDeadline is where http.Server tells that a handler has taken the
// connection over: it never sets both deadlines at once but then (a test holds
// it to that). Only behind a request that may begin a tunnel does it end the
// checks; were the guess wrong elsewhere, a client could send what it likes.
func (s *server) SetDeadline(t time.Time) error {
	s.phase.CompareAndSwap(undecided, tunnelled)
	return s.Conn.SetDeadline(t)
}

// CloseWrite lets http.Server end its side first when it hangs up, so that the
// client reads the last answer.
func (s *server) CloseWrite() error { return closeWrite(s.lazy.Conn) }

func closeWrite(conn net.Conn) error {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}
