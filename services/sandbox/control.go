package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"portcullis/services/chassis"
	"portcullis/services/problem"
)

const (
	// controlPath is where each stand-in is told to misbehave.
	controlPath = "/control"
	// maxAsked bounds the body of a request to a stand-in.
	maxAsked = 64 << 10
	// maxDelay bounds how slow a stand-in can be made.
	maxDelay = time.Minute
)

// misbehaviour is what a stand-in was told to do. It applies to every request
// but those to /control.
type misbehaviour struct {
	// Delay passes before the work is done, also when the client has gone: a real
	// bank charges though nobody waits for the answer.
	Delay delay `json:"delay,omitempty"`
	// Status is answered in place of doing the work.
	Status int `json:"status,omitempty"`
	// Body is answered in place of the true answer, after the work was done unless
	// there is a Status, too.
	Body *string `json:"body,omitempty"`
	// Twice does the work twice, as when something on the way repeats a request,
	// and answers what came of the second time.
	Twice bool `json:"twice,omitempty"`
	// Cut closes the connection in place of an answer, after the work was done.
	Cut bool `json:"cut,omitempty"`
	// Only restricts all of this to requests that begin so: "POST /charges".
	Only string `json:"only,omitempty"`
	// Times is how many requests it applies to; 0 is all until DELETE /control.
	Times int `json:"times,omitempty"`

	over <-chan struct{}
}

// delay is a duration on the wire: "2s".
type delay time.Duration

func (d delay) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *delay) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed < 0 || parsed > maxDelay {
		return fmt.Errorf("the delay %.20q is not a duration up to %v, such as 2s", text, maxDelay)
	}
	*d = delay(parsed)
	return nil
}

func (m misbehaviour) check() error {
	switch {
	case m.Status != 0 && (m.Status < 400 || m.Status > 599):
		return errors.New("the status must be from 400 to 599")
	case m.Times < 0:
		return errors.New("times cannot be negative")
	}
	return nil
}

// control has a stand-in misbehave on request. Its zero value behaves.
type control struct {
	mu   sync.Mutex
	told *misbehaviour
	// over is closed when the stand-in is told something else: it ends the delays
	// that are under way.
	over chan struct{}
}

// wrap puts the control in front of a stand-in and serves GET, PUT and DELETE
// of /control. Anybody who reaches the stand-in may use it, but for the pages
// of other sites in somebody's browser.
func (c *control) wrap(next http.Handler) http.Handler {
	own := http.NewCrossOriginProtection().Handler(http.HandlerFunc(c.serve))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == controlPath {
			own.ServeHTTP(w, r)
			return
		}
		if m, ok := c.take(r.Method + " " + r.URL.Path); ok {
			m.serve(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// take is what applies to a request, which uses up one of its times.
func (c *control) take(request string) (misbehaviour, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told == nil || !strings.HasPrefix(request, c.told.Only) {
		return misbehaviour{}, false
	}
	m := *c.told
	m.over = c.over
	if m.Times > 0 {
		if c.told.Times--; c.told.Times == 0 {
			c.told = nil
		}
	}
	return m, true
}

// tell replaces what the stand-in does; nil lets it behave.
func (c *control) tell(m *misbehaviour) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != nil {
		close(c.over)
	}
	c.told, c.over = m, make(chan struct{})
}

// serve serves /control.
func (c *control) serve(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		c.mu.Lock()
		told := misbehaviour{}
		if c.told != nil {
			told = *c.told
		}
		c.mu.Unlock()
		reply(w, http.StatusOK, told)
	case http.MethodPut:
		m := &misbehaviour{}
		if err := readJSON(w, r, m); err != nil {
			complain(w, http.StatusBadRequest, err.Error())
			return
		}
		if err := m.check(); err != nil {
			complain(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		c.tell(m)
		w.WriteHeader(http.StatusNoContent)
	case http.MethodDelete:
		c.tell(nil)
		w.WriteHeader(http.StatusNoContent)
	default:
		problem.Write(w, r, problem.New(problem.MethodNotAllowed, "").With("Allow", "GET, PUT, DELETE"), chassis.RequestID(r.Context()))
	}
}

// serve answers one request the way the stand-in was told to.
func (m misbehaviour) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAsked))
	if err != nil {
		complain(w, http.StatusBadRequest, "the body is too large or broken")
		return
	}
	m.wait()
	if m.Status != 0 {
		m.refuse(w)
		return
	}
	again := 1
	if m.Twice {
		again = 2
	}
	done := &recorded{}
	for range again {
		done = &recorded{header: http.Header{}}
		next.ServeHTTP(done, repeated(r, body))
	}
	if m.Cut {
		panic(http.ErrAbortHandler) // net/http closes the connection, or resets the stream
	}
	if m.Body != nil {
		done.body.Reset()
		done.body.WriteString(*m.Body)
	}
	done.copy(w)
}

// wait lets the delay pass, or what is left of it when all is to behave again.
func (m misbehaviour) wait() {
	if m.Delay == 0 {
		return
	}
	passed := time.NewTimer(time.Duration(m.Delay))
	defer passed.Stop()
	select {
	case <-passed.C:
	case <-m.over:
	}
}

func (m misbehaviour) refuse(w http.ResponseWriter) {
	if m.Cut {
		panic(http.ErrAbortHandler)
	}
	if m.Body != nil {
		w.WriteHeader(m.Status)
		_, _ = io.WriteString(w, *m.Body)
		return
	}
	complain(w, m.Status, "it was told to answer so")
}

// repeated is the request with its body to be read once more, for a client that
// need not be there any more.
func repeated(r *http.Request, body []byte) *http.Request {
	again := r.Clone(context.WithoutCancel(r.Context()))
	again.Body = io.NopCloser(bytes.NewReader(body))
	return again
}

// recorded is an answer that was not sent yet.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (d *recorded) Header() http.Header { return d.header }

func (d *recorded) WriteHeader(status int) {
	if d.status == 0 {
		d.status = status
	}
}

func (d *recorded) Write(b []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	return d.body.Write(b)
}

func (d *recorded) copy(w http.ResponseWriter) {
	maps.Copy(w.Header(), d.header)
	if d.status != 0 {
		w.WriteHeader(d.status)
	}
	_, _ = d.body.WriteTo(w)
}

// readJSON reads a request's body, one JSON object without unknown fields.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAsked))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("the body cannot be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one value in the body")
	}
	return nil
}

// reply writes what a stand-in answers. They are strangers to the hotel and do
// not speak its problems.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// complain is reply for what went wrong: {"error": "..."}.
func complain(w http.ResponseWriter, status int, text string) {
	reply(w, status, map[string]string{"error": text})
}
