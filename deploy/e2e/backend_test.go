package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// backend is a service of the suite's that misbehaves on request.
type backend struct {
	*httptest.Server
	served  atomic.Int64
	failing atomic.Bool
}

// seen is what the backend tells of a request.
type seen struct {
	Method, URI string
	Header      http.Header
	Body        string
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.served.Add(1)
	switch {
	case b.failing.Load():
		w.WriteHeader(http.StatusInternalServerError)
		return
	case strings.HasPrefix(r.URL.Path, "/socket/"), strings.HasPrefix(r.URL.Path, "/stream/"):
		b.hold(w, r)
		return
	case r.URL.Path == "/hasty/slow":
		wait(r, 5*time.Second) // longer than its route's timeout
	case r.URL.Path == "/slow/second":
		wait(r, time.Second)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Header, string(body)}) // who left is not told
}

func wait(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}
