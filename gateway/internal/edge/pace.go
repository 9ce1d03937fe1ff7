package edge

import (
	"net/http"
	"sync"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// DefaultBodyRate is how many bytes a second a request body has to bring.
const DefaultBodyRate = 500

// paceGrace is how much longer than its rate allows a body may take. A route of
// no more than this ends every body by its own timeout.
const paceGrace = 5 * time.Second

// pace holds a request body to a rate, so that a route with time for large
// uploads is not one that a byte a second can block. Only time spent waiting for
// the client counts: an upstream may be as slow as it likes. Hence no deadline,
// which passes whoever is waiting, but a look now and then.
type pace struct {
	rc   *http.ResponseController
	each time.Duration // for one byte

	mu      sync.Mutex // the transport may read when the answer is complete
	timer   *time.Timer
	ended   bool
	reading bool
	began   time.Time // of the read under way
	waited  time.Duration
	read    int64
}

// newPace is nil where the timeout of the route is bound enough.
func newPace(w http.ResponseWriter, tx *pipeline.Transaction, rate int) *pace {
	if tx.Route.Timeout <= paceGrace {
		return nil
	}
	p := &pace{rc: http.NewResponseController(w), each: time.Second / time.Duration(rate)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(paceGrace, p.look)
	tx.OnDone(p.end)
	return p
}

// look ends a read that has waited for longer than the client has earned.
func (p *pace) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	left := paceGrace + time.Duration(p.read)*p.each - p.waited
	if p.reading {
		if left -= time.Since(p.began); left <= 0 {
			// A server that cannot has said so when the request began.
			_ = p.rc.SetReadDeadline(time.Unix(1, 0))
			return
		}
	}
	p.timer.Reset(max(left, time.Second))
}

func (p *pace) before() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading, p.began = true, time.Now()
}

func (p *pace) after(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading = false
	p.read += int64(n)
	p.waited += time.Since(p.began)
}

// end lets go of the connection, which from now on is another request's.
func (p *pace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.timer.Stop()
}
