package trial

import (
	"net/http"
	"time"
)

// answer takes what a caller would be sent and keeps its head.
type answer struct {
	header http.Header
	status int
	bytes  int64
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.bytes += int64(len(p))
	return len(p), nil
}

// What http.ResponseController asks of a writer.

func (a *answer) Flush()                           {}
func (a *answer) SetReadDeadline(time.Time) error  { return nil }
func (a *answer) SetWriteDeadline(time.Time) error { return nil }
