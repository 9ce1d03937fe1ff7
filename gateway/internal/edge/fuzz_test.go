package edge_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
)

// Whatever net/http takes for a request: it does not make us panic, it has one
// event of one line, and its answer names it. No service is asked by a path or
// a host in another spelling than ours.
func FuzzServeHTTP(f *testing.F) {
	for _, seed := range []string{
		"GET /v1/hotels?city=a HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"HEAD /v1/hotels/h%2D7 HTTP/1.1\r\nHost: LOCALHOST:1\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
		"POST /v1/hotels HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X-User\r\n\r\n1\r\na\r\n0\r\nX-User: b\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: [::1]\r\n\r\n",
		"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"OPTIONS /v1/hotels/h-7 HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.hotel.test\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: content-type\r\n\r\n",
		"GET /go/evil.example?a=b HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.hotel.test.evil.example\r\n\r\n",
		"GET http://localhost/ HTTP/1.1\r\nHost: localhost.\r\nUpgrade: websocket\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
	} {
		f.Add([]byte(seed), "192.0.2.1:4711")
	}
	f.Fuzz(func(t *testing.T, text []byte, peer string) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			return
		}
		r.RemoteAddr = peer
		events := &lines{got: make(chan struct{}, 2)}
		w := httptest.NewRecorder()
		fuzzed(t, events).ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("a panic: %s", w.Body)
		}
		if len(w.Header().Get("X-Request-Id")) != 32 {
			t.Error("the answer does not name its request")
		}
		if to := w.Header().Get("Location"); strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n ") {
			t.Errorf("sent to %q", to)
		}
		if origin := w.Header()["Access-Control-Allow-Origin"]; origin != nil && (len(origin) != 1 || origin[0] != app) {
			t.Errorf("shared with %q", origin)
		}
		if line := events.all.Bytes(); !json.Valid(line) || bytes.Count(line, []byte{'\n'}) != 1 {
			t.Errorf("the event is not one line of JSON: %q", line)
		}
	})
}

// fuzzed is a handler whose service checks what reaches it.
func fuzzed(t *testing.T, events *lines) *edge.Handler {
	t.Helper()
	s := &pipeline.Snapshot{Hosts: map[string]bool{"localhost": true}, Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	service := forwardFunc(func(w http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
		if again, err := edge.CanonicalPath(tx.Path); err != nil || again != tx.Path || tx.Host != "localhost" || !tx.Source.IsValid() {
			t.Errorf("host %q, path %q, source %v reach a service", tx.Host, tx.Path, tx.Source)
		}
		for name := range tx.Request.Header {
			if strings.HasPrefix(name, "X-Forwarded") || strings.Contains(name, "_") {
				t.Errorf("%s reaches a service", name)
			}
		}
		return echo(w, tx)
	})
	for _, match := range [][2]string{{"GET", "/"}, {"GET", "/v1/hotels"}, {"POST", "/v1/hotels"}, {"GET", "/v1/hotels/{hotel}"}, {"GET", "/assets/*"}} {
		s.Routes = append(s.Routes, &pipeline.Route{Methods: []string{match[0]}, Pattern: match[1], Forward: service, Body: 1 << 10, Meter: meter{}})
	}
	to, err := pipeline.NewRedirect("/*", "/go/*", 308)
	if err != nil {
		t.Fatal(err)
	}
	s.Routes = append(s.Routes, &pipeline.Route{Methods: []string{"GET"}, Pattern: "/go/*", Redirect: to, Body: 1 << 10, Meter: meter{}})
	s.Routes[3].CORS = sharedWith(t, "GET")
	s.Index()
	current := &pipeline.Current{}
	current.Store(s)
	h, err := edge.New(edge.Config{Current: current, Events: events, Unmatched: meter{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
