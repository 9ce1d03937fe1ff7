package framing

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// errGone is why the requests of a connection end whose client has hung up.
var errGone = errors.New("the client has closed the connection")

// look is the time between two looks at a client that waits for its answer. It
// has left for twice as long at most before that is noticed.
const look = 50 * time.Millisecond

// Watch is for http.Server.ConnContext. While a handler runs, http.Server reads
// one octet ahead on a goroutine of its own, to notice a client that leaves; for
// every request it starts that goroutine, and interrupts it at the end. On a
// Server such a read is told that nothing has happened, which io.Reader allows,
// and the goroutine ends. Only when a request has taken a while does the
// connection read the octet itself; if the client has left, the context returned
// here ends, and with it those of the connection's requests.
//
// It leans on how net/http reads: a test holds each release to that. Without
// Watch everything stands as http.Server does it.
func Watch(ctx context.Context, conn net.Conn) context.Context {
	s, ok := conn.(interface{ watched(gone func()) })
	if !ok {
		return ctx // HTTP/2 reads all the time
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s.watched(func() { cancel(errGone) })
	return ctx
}

// watch looks after a client whose request is being answered. Its timer goes on
// while there are requests: to stop it after each would cost more than it saves.
type watch struct {
	gone func() // nil when nobody watches

	mu    sync.Mutex
	state attention
	timer *time.Timer
	going bool // the timer is
	over  chan struct{}
	octet []byte // what was read ahead, if anything
}

type attention uint8

const (
	reading   attention = iota // whoever serves the connection reads, or could
	answering                  // since the last look
	slow                       // for longer
	ahead                      // the octet ahead is being read, or was
)

// begin notes that a request is being answered.
func (w *watch) begin(from net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = answering
	switch {
	case w.going:
		return
	case w.timer == nil:
		w.timer = time.AfterFunc(look, func() { w.look(from) })
	default:
		w.timer.Reset(look)
	}
	w.going = true
}

// end is called by whoever reads on, and returns what was read ahead. spared
// tells that the read before this one was told that nothing has happened.
func (w *watch) end() (octet []byte, spared bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == ahead {
		// Deadlines and Close end that read as they would have ended this one.
		w.mu.Unlock()
		<-w.over
		w.mu.Lock()
		octet, w.octet = w.octet, nil
	}
	spared = w.state == answering || w.state == slow
	w.state = reading
	return octet, spared
}

func (w *watch) look(from net.Conn) {
	w.mu.Lock()
	switch w.state {
	case reading:
		w.going = false
		w.mu.Unlock()
		return
	case answering:
		w.state = slow
		w.timer.Reset(look)
		w.mu.Unlock()
		return
	}
	w.state, w.going, w.over = ahead, false, make(chan struct{})
	w.mu.Unlock()
	var octet [1]byte
	n, err := from.Read(octet[:])
	if n == 0 && err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		w.gone()
	}
	w.octet = octet[:n]
	close(w.over)
}
