package upstream

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// answer copies the upstream's answer to the client. An error means that
// nothing was written; a later failure goes to the result.
func (x *exchange) answer(res *http.Response) error {
	defer x.leave(res) // a body not read to its end: the connection, or its stream, is given up
	if res.StatusCode == http.StatusSwitchingProtocols {
		return x.tunnel(res)
	}
	if refused := x.disowned(res); refused != nil {
		return refused
	}
	x.enter(copying)
	h := x.w.Header()
	if err := copyFields(h, res.Header); err != nil {
		return problem.New(problem.BadGateway, "").Because(err)
	}
	if res.StatusCode == http.StatusNoContent {
		delete(h, "Content-Length")
	}
	if res.Header["Content-Type"] == nil {
		h["Content-Type"] = nil // the server must not guess one from the body
	}
	x.relocate(h)
	x.tx.Complete(h)
	x.announce(h, res.Trailer)
	x.closeUnread()
	x.w.WriteHeader(res.StatusCode)
	x.result.Status = res.StatusCode
	if x.tx.Request.Method != http.MethodHead && res.ContentLength != 0 {
		x.result.Broken = x.copyBody(res)
	}
	if x.result.Broken == nil {
		x.trailers(h, res.Trailer)
	}
	if x.enter(over) && x.result.Broken == nil {
		x.result.Broken = errTimeout
	}
	x.whole = x.result.Broken == nil
	return nil
}

// copyBody copies with one pooled buffer. What has no known end is flushed as it
// comes: somebody may be waiting for it.
func (x *exchange) copyBody(res *http.Response) error {
	buffer := x.upstream.buffers.Get().(*[bufferSize]byte)
	defer x.upstream.buffers.Put(buffer)
	var flush *http.ResponseController
	if res.ContentLength < 0 || strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		flush = http.NewResponseController(x.w)
	}
	for {
		n, err := res.Body.Read(buffer[:])
		if n > 0 {
			written, failed := x.w.Write(buffer[:n])
			x.result.Bytes += int64(written)
			if failed == nil && flush != nil {
				failed = flush.Flush()
			}
			if failed != nil {
				x.blame(failed)
				return failed
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			if gone := x.clientGone(); gone != nil {
				return gone
			}
			return err
		}
	}
}

// announce lists the trailers that the upstream has announced.
func (x *exchange) announce(h, trailer http.Header) {
	var names []string
	for name := range trailer {
		if x.passes(name) {
			names = append(names, name)
		}
	}
	if names != nil {
		h["Trailer"] = []string{strings.Join(names, ", ")}
	}
}

// trailers relays them once the body is complete.
func (x *exchange) trailers(h, trailer http.Header) {
	announced := h["Trailer"] != nil
	for name, values := range trailer {
		switch {
		case !x.passes(name) || len(values) == 0:
		case announced && httpguts.HeaderValuesContainsToken(h["Trailer"], name):
			h[name] = values
		default:
			h[http.TrailerPrefix+name] = values
		}
	}
}

// passes reports whether a trailer may go on: a client may merge it into the header.
func (x *exchange) passes(name string) bool {
	return !pipeline.HopByHop(name) && !hidden(name) && !x.tx.Route.Withholds(name) && httpguts.ValidTrailerHeader(name) && httpguts.ValidHeaderFieldName(name)
}
