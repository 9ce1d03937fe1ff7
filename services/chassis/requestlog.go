package chassis

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"portcullis/services/problem"
)

// event is one request as a service saw it, in the names of the Elastic Common
// Schema. It holds no query, header or body: those may hold what is nobody's
// business.
type event struct {
	Timestamp string   `json:"@timestamp"`
	Kind      string   `json:"event.kind"`
	Category  []string `json:"event.category"` // ECS: a list
	Outcome   string   `json:"event.outcome"`
	Duration  int64    `json:"event.duration"` // nanoseconds
	Method    string   `json:"http.request.method"`
	ID        string   `json:"http.request.id"`
	Path      string   `json:"url.path"`
	Status    int      `json:"http.response.status_code"`
	Bytes     int64    `json:"http.response.body.bytes"`
	Version   string   `json:"http.version"`
}

// RequestLog is middleware that gives each request its id (see RequestID),
// writes one event per request to out, and turns a panic into a logged error
// and the problem "internal". out should be an EventWriter: it is written to
// from the request's own goroutine.
func RequestLog(log *slog.Logger, out io.Writer) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			r, id := withRequestID(r)
			watched := &watcher{ResponseWriter: w}
			defer func() {
				cause := recover()
				if cause != nil && cause != http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
					log.Error("a handler panicked", "request_id", id, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
					if watched.status == 0 {
						problem.Write(watched, r, problem.New(problem.Internal, ""), id)
						cause = nil
					} else {
						cause = http.ErrAbortHandler // half an answer must not look whole
					}
				}
				watched.event(out, r, id, start, cause != nil)
				if cause != nil {
					panic(cause)
				}
			}()
			next.ServeHTTP(watched, r)
		})
	}
}

// event writes the one line of a request.
func (w *watcher) event(out io.Writer, r *http.Request, id string, start time.Time, aborted bool) {
	status := w.status
	if status == 0 && !aborted {
		status = http.StatusOK // what net/http sends for a handler that wrote nothing
	}
	outcome := "success"
	if aborted || status >= 400 {
		outcome = "failure"
	}
	line, err := json.Marshal(event{
		Timestamp: start.UTC().Format(time.RFC3339Nano),
		Kind:      "event",
		Category:  []string{"web"},
		Outcome:   outcome,
		Duration:  int64(time.Since(start)),
		Method:    r.Method,
		ID:        id,
		Path:      r.URL.EscapedPath(), // decoded, it could steer the terminal of who reads the log
		Status:    status,
		Bytes:     w.bytes,
		Version:   r.Proto[min(len("HTTP/"), len(r.Proto)):],
	})
	if err == nil {
		_, _ = out.Write(append(line, '\n'))
	}
}

// watcher sees the status and counts the bytes of a response. Flushing,
// deadlines and the like reach the real writer through Unwrap.
type watcher struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *watcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watcher) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // 1xx are not the answer yet
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watcher) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}
