package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// tunnelIdle is how long a WebSocket may be silent both ways. Servers and
// browsers that mean to keep one open send pings well within it.
const tunnelIdle = 2 * time.Minute

// upgrade reports whether the request becomes a WebSocket. Any other change of
// protocol is refused: past it no policy would be asked (golang.org/issue/80416).
func upgrade(tx *pipeline.Transaction) (bool, error) {
	r := tx.Request
	if r.Header["Upgrade"] == nil || !httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade") {
		return false, nil
	}
	if !tx.Route.WebSocket || r.Method != http.MethodGet || r.ProtoMajor != 1 || len(r.Header["Upgrade"]) != 1 ||
		!strings.EqualFold(r.Header["Upgrade"][0], "websocket") || r.ContentLength != 0 {
		return false, problem.New(problem.BadRequest, "This upgrade is not served here.")
	}
	return true, nil
}

// tunnel joins client and upstream once the upstream has agreed to a WebSocket.
// The route's timeout bounds the agreement, not the conversation.
func (x *exchange) tunnel(res *http.Response) error {
	back, ok := res.Body.(io.ReadWriteCloser)
	if !ok || !x.websocket || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
		return problem.New(problem.BadGateway, "").Because(errors.New("the upstream changed to a protocol nobody asked for"))
	}
	if !x.disarm() {
		return timeout(errTimeout)
	}
	h := x.w.Header()
	if err := copyFields(h, res.Header); err != nil {
		return problem.New(problem.BadGateway, "").Because(err)
	}
	x.tx.Complete(h)
	delete(h, "Content-Length")
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	x.enter(over)
	front, buffered, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return problem.New(problem.Internal, "").Because(err)
	}
	defer func() { _ = front.Close() }()
	x.result.Status = res.StatusCode
	head := http.Response{StatusCode: res.StatusCode, ProtoMajor: 1, ProtoMinor: 1, Header: h}
	if err := errors.Join(head.Write(buffered), buffered.Flush()); err != nil {
		x.blame(err)
		x.result.Broken = err
		return nil
	}
	both := func() { _, _ = front.Close(), back.Close() }
	// Whoever ends the client's context, a drain for instance, ends the tunnel.
	defer context.AfterFunc(x.tx.Request.Context(), both)()
	idle := time.AfterFunc(tunnelIdle, both)
	defer idle.Stop()
	x.converse(pipe{back, buffered.Reader, idle}, pipe{front, back, idle}, both)
	return nil
}

// converse copies both ways until one side ends; then both do, as a WebSocket
// has its own closing handshake.
func (x *exchange) converse(toUpstream, toClient pipe, end func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		toUpstream.copy(nil)
		end()
	}()
	var relayed atomic.Int64
	toClient.copy(&relayed)
	end()
	<-done
	x.result.Bytes = relayed.Load()
}

// pipe is one direction of a tunnel.
type pipe struct {
	to   io.Writer
	from io.Reader
	idle *time.Timer
}

func (p pipe) copy(count *atomic.Int64) {
	buffer := make([]byte, 4<<10)
	for {
		n, err := p.from.Read(buffer)
		if n > 0 {
			p.idle.Reset(tunnelIdle)
			if _, err := p.to.Write(buffer[:n]); err != nil {
				return
			}
			if count != nil {
				count.Add(int64(n))
			}
		}
		if err != nil {
			return
		}
	}
}
