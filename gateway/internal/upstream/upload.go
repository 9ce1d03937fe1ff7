package upstream

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"portcullis/gateway/internal/pipeline"
)

// continueWait is how long a client that asked for 100 Continue waits for the
// upstream to agree; then its body is taken all the same (RFC 9110 section
// 10.1.1).
const continueWait = time.Second

var errStopped = errors.New("the request body is no longer wanted")

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
	ended   atomic.Bool
	failed  atomic.Pointer[error]
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
	u := &upload{body: r.Body, length: r.ContentLength, stopped: make(chan struct{})}
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
	u.reading.Store(true)
	n, err := u.body.Read(p)
	u.reading.Store(false)
	u.taken += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		u.end()
	case err != nil:
		u.failed.CompareAndSwap(nil, &err)
	case u.length > 0 && u.taken >= u.length:
		u.ended.Store(true)
	}
	return n, err
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

func (u *upload) end() {
	for name := range u.trailer {
		if values := u.from[name]; values != nil {
			u.trailer[name] = values
		} else {
			delete(u.trailer, name)
		}
	}
	u.ended.Store(true)
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
