package upstream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"portcullis/gateway/internal/framing"
	"portcullis/gateway/internal/pipeline"
)

// continueWait is how long a client that asked for 100 Continue waits for the
// upstream to agree; then its body is taken all the same (RFC 9110 section
// 10.1.1).
const continueWait = time.Second

var errStopped = errors.New("the request body is no longer wanted")

// errTrailers is the client's failure: to an endpoint of HTTP/1.1 so many are not
// said (see framing.NewClient), and it must not be blamed for that.
var errTrailers = fmt.Errorf("the trailers of the request are longer than %d bytes", framing.MaxTrailer)

// upload is a request body on its way to an upstream. The transport reads it on
// a goroutine of its own, which may outlive the answer. It tells the client's
// failures from the upstream's.
type upload struct {
	body    io.ReadCloser
	length  int64
	from    http.Header // trailers as the server fills them in at the end
	trailer http.Header // those that pass
	agreed  chan struct{}
	once    sync.Once
	stopped chan struct{}

	busy    sync.Mutex // held while the body is read
	taken   int64
	reading atomic.Bool
	start   time.Time
	began   atomic.Int64 // of the read under way, since start
	spent   atomic.Int64 // by the reads before
	ended   atomic.Bool
	failed  atomic.Pointer[error]
	dropped atomic.Bool // a read ended because the endpoint wants no more; see sending
}

// newUpload takes over the request's body. With full duplex an early answer
// reaches a client that is still sending; closeUnread keeps the rest of such a
// body from being read as another request.
//
// Trailers of fields that the route sets or removes do not pass: a backend may
// merge them into the header.
func newUpload(w http.ResponseWriter, r *http.Request, route pipeline.Fields) *upload {
	// Where the server cannot, answers wait for the body; nothing else changes.
	_ = http.NewResponseController(w).EnableFullDuplex()
	u := &upload{body: r.Body, length: r.ContentLength, stopped: make(chan struct{}), start: time.Now()}
	if expect := r.Header["Expect"]; len(expect) == 1 && strings.EqualFold(expect[0], "100-continue") {
		u.agreed = make(chan struct{})
	}
	if r.ContentLength < 0 {
		for name := range r.Trailer {
			if !pipeline.HopByHop(name) && !fromOutside(name) && !route.Names(name) && httpguts.ValidTrailerHeader(name) && httpguts.ValidHeaderFieldName(name) {
				if u.trailer == nil {
					u.trailer = make(http.Header, len(r.Trailer))
				}
				u.trailer[name] = nil
			}
		}
		u.from = r.Trailer
	}
	return u
}

// agree lets a body pass that waited for 100 Continue.
func (u *upload) agree() {
	if u.agreed != nil {
		u.once.Do(func() { close(u.agreed) })
	}
}

func (u *upload) Read(p []byte) (int, error) {
	u.busy.Lock()
	defer u.busy.Unlock()
	if u.agreed != nil && u.taken == 0 && !u.await() {
		return 0, errStopped
	}
	select {
	case <-u.stopped:
		return 0, errStopped
	default:
	}
	began := time.Since(u.start)
	u.began.Store(int64(began))
	u.reading.Store(true)
	n, err := u.body.Read(p)
	u.reading.Store(false)
	u.spent.Add(int64(time.Since(u.start) - began))
	u.taken += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		if !u.end() {
			err = errTrailers
			u.failed.CompareAndSwap(nil, &err)
		}
	case err != nil && u.dropped.Load():
	case err != nil:
		u.failed.CompareAndSwap(nil, &err)
	case u.length > 0 && u.taken >= u.length:
		u.ended.Store(true)
	}
	return n, err
}

// waited is how long the client has let us wait for its body so far.
func (u *upload) waited() time.Duration {
	all := time.Duration(u.spent.Load())
	if u.reading.Load() {
		all += time.Since(u.start) - time.Duration(u.began.Load())
	}
	return all
}

// slow reports whether the client took most of the time, of which bound was to be
// had. Whatever the endpoint did then says nothing about it: a client that sends
// the end of its body a moment before the time is up, or that outstays the
// patience of the endpoint itself, would open the breaker for everybody.
func (u *upload) slow(bound time.Duration) bool {
	waited := u.waited()
	return 2*waited >= time.Since(u.start) && waited >= min(time.Second, bound/2)
}

// await waits for the upstream to want the body; false when it has answered
// without.
func (u *upload) await() bool {
	timer := time.NewTimer(continueWait)
	defer timer.Stop()
	select {
	case <-u.agreed:
		return true
	case <-u.stopped:
		return false
	case <-timer.C:
		u.agree()
		return true
	}
}

// end takes the trailers over; false when they are too long as they would be
// written, which may be longer than they came.
func (u *upload) end() bool {
	size := len("\r\n")
	for name := range u.trailer {
		values := u.from[name]
		if values == nil {
			delete(u.trailer, name)
			continue
		}
		for _, value := range values {
			size += len(name) + len(": ") + len(value) + len("\r\n")
		}
		u.trailer[name] = values
	}
	if size > framing.MaxTrailer {
		return false
	}
	u.ended.Store(true)
	return true
}

// Close does nothing: the transport closes a body also when it could not
// connect, and the body must live for the next attempt.
func (u *upload) Close() error { return nil }

// failure is why the client's body could not be read; nil when it could.
func (u *upload) failure() error {
	if err := u.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// stop ends the upload and waits until nobody reads the body any more: after
// Forward it belongs to the server, and the transaction to somebody else.
func (u *upload) stop(w http.ResponseWriter) {
	close(u.stopped)
	if u.ended.Load() {
		return
	}
	if u.failed.Load() == nil && !u.interrupt(w) {
		return
	}
	u.busy.Lock()
	defer u.busy.Unlock()
}

// interrupt makes a read that waits for the client return at once. The client's
// connection ends with the answer, see closeUnread. It reports whether the
// server can do that.
func (u *upload) interrupt(w http.ResponseWriter) bool {
	return u.ended.Load() || http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) == nil
}

// closeUnread has the client's connection closed after the answer when its body
// was not read to the end: what is left of it must never be parsed as a
// request. HTTP/2 frames its streams and needs no such thing.
func (x *exchange) closeUnread() {
	if x.upload != nil && !x.upload.ended.Load() && x.tx.Request.ProtoMajor == 1 {
		x.w.Header()["Connection"] = []string{"close"}
	}
}
