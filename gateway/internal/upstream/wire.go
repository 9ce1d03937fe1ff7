package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"time"
)

var errLongHead = errors.New("the head of the upstream's answer is longer than 64 KiB")

// wire is a connection of direct. It belongs to one request at a time, and to
// the goroutine of that.
type wire struct {
	net.Conn // under the check
	line     *line
	in       *bufio.Reader
	out      *bufio.Writer
	room     int64 // what may still be read
	sent     int64 // of the request
	received int64 // of its answer
	used     bool  // by a request before
	sweeps   uint  // of the line when it was kept
	abort    func()
	// release is told that the request does not need the connection any more;
	// false when abort was called, or will be.
	release func() bool
}

func newWire(l *line, conn net.Conn) *wire {
	w := &wire{Conn: conn, line: l}
	w.in, w.out = bufio.NewReader(reading{w}), bufio.NewWriter(writing{w})
	w.abort = func() { _ = conn.SetDeadline(time.Unix(1, 0)) }
	return w
}

// reading and writing count what passes.
type (
	reading struct{ *wire }
	writing struct{ *wire }
)

func (r reading) Read(p []byte) (int, error) {
	if r.room <= 0 {
		return 0, errLongHead
	}
	n, err := r.Conn.Read(p[:min(int64(len(p)), r.room)])
	r.room -= int64(n)
	r.received += int64(n)
	return n, err
}

func (w writing) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.sent += int64(n)
	return n, err
}

// ask sends the request and reads the head of the answer. again tells after an
// error that the request may be sent on another connection: this one was kept
// for too long, and nothing was sent, or nothing came back and it asks for
// nothing to be done (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
func (w *wire) ask(ctx context.Context, r *http.Request, trace *httptrace.ClientTrace) (res *http.Response, again bool, err error) {
	w.sent, w.received = 0, 0
	if l, ok := ctx.(*lifetime); ok {
		w.release = l.AfterFunc(w.abort)
	} else {
		w.release = context.AfterFunc(ctx, w.abort)
	}
	err = r.Write(w.out)
	if err == nil {
		err = w.out.Flush()
	}
	if err != nil {
		w.end(false)
		return nil, w.used && w.sent == 0, err
	}
	if res, err = w.head(r, trace); err != nil {
		w.end(false)
		return nil, w.used && w.received == 0 && safe(r.Method) && isReset(err), err
	}
	keep := !res.Close && !r.Close
	if res.Body == http.NoBody || res.ContentLength == 0 {
		w.end(keep && w.in.Buffered() == 0)
		res.Body = http.NoBody
	} else {
		res.Body = &answerBody{body: res.Body, wire: w, ctx: ctx, keep: keep}
	}
	return res, false, nil
}

// head reads heads up to the answer's own.
func (w *wire) head(r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
	for {
		w.room = maxResponseHead
		res, err := http.ReadResponse(w.in, r)
		if err != nil {
			return nil, err
		}
		if res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			w.room = math.MaxInt64
			return res, nil
		}
		if trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(res.StatusCode, textproto.MIMEHeader(res.Header)); err != nil {
				return nil, err
			}
		}
	}
}

// end lets go of the connection.
func (w *wire) end(keep bool) {
	// A late abort must not meet the next request.
	released := w.release()
	w.release = nil
	w.line.give(w, keep && released)
}

// answerBody is the body of an answer. At its end the connection is kept.
type answerBody struct {
	body io.ReadCloser
	wire *wire // nil when it may be somebody else's
	ctx  context.Context
	keep bool
	err  error // how it ended
}

func (b *answerBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.body.Read(p)
	if err != nil {
		whole := errors.Is(err, io.EOF)
		if !whole {
			err = ended(b.ctx, err)
		}
		b.end(err, whole && b.keep && b.wire.in.Buffered() == 0)
	}
	return n, err
}

// Close gives the connection up when the body was not read to its end.
func (b *answerBody) Close() error {
	if b.err == nil {
		b.end(http.ErrBodyReadAfterClose, false)
	}
	return nil
}

func (b *answerBody) end(how error, keep bool) {
	b.err = how
	b.wire.end(keep)
	b.wire = nil
}
