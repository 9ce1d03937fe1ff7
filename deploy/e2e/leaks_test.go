package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Answers that tell more than they should, by their paths.
var leaks = map[string]struct{ media, body string }{
	"/sql":       {"text/html", "<h1>Search</h1><p>You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version</p>"},
	"/directory": {"text/html; charset=utf-8", "<html><head><title>Index of /backup</title></head><body><h1>Index of /backup</h1><a href=db.sql>db.sql</a></body></html>"},
	"/trace":     {"application/json", `{"error":"java.lang.NullPointerException\n\tat org.hotel.Booking.find(Booking.java:42)"}`},
	"/source":    {"TEXT/HTML", `<?php $db = mysqli_connect("localhost", "root", "hunter2"); ?>`},
}

// leaky is a backend that tells too much.
func leaky(t *testing.T, next <-chan struct{}) *httptest.Server {
	t.Helper()
	rooms := []byte("<html><body>" + strings.Repeat("<p>A room with a view of the harbour.</p>\n", 10_000) + "</body></html>")
	mux := http.NewServeMux()
	for path, leak := range leaks {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", leak.media)
			w.Header().Set("X-Database", "db-7")
			// In the range that was asked for, if any was.
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(leak.body))
		})
	}
	mux.HandleFunc("/encoded", func(w http.ResponseWriter, _ *http.Request) {
		var packed bytes.Buffer
		to := gzip.NewWriter(&packed)
		_, _ = io.WriteString(to, leaks["/sql"].body)
		_ = to.Close()
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	})
	mux.HandleFunc("/rooms", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Etag", `"v1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(rooms))
	})
	mux.HandleFunc("/asked", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, "%q", r.Header["Range"])
		_, _ = fmt.Fprintf(w, "%q", r.Header["Accept-Encoding"])
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			<-next // the client has the one before
		}
	})
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "<p>half of")
		panic(http.ErrAbortHandler)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// TestAnswersThatLeakAreWithheld: what an attacker has got a backend to tell does
// not come out, however it is asked for; everything else is as it was.
func TestAnswersThatLeakAreWithheld(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	backend := leaky(t, next)
	rest := strings.Replace(openly, "waf: {none: the suite}, ", "", 1)
	s := lone(t, map[string]string{
		"gateway.yaml": "version: 1\nhosts: [localhost]\ndefaults: {timeout: 60s}\nupstreams:\n  - {name: rooms, endpoints: [\"" + backend.URL + "\"], credential: {none: the suite}}\n" +
			"waf:\n  - {name: pages, responses: {types: [text/html, application/json]}}\n" +
			"  - {name: tried, responses: {types: [text/html, application/json]}, mode: shadow}\n",
		"routes.yaml": routes(
			"inspected: \"GET /{what}\", upstream: rooms, waf: pages, "+rest,
			"compressed: \"GET /z/{what}\", upstream: rooms, waf: pages, request: {strip_prefix: /z}, compress: true, "+rest,
			"tried: \"GET /s/{what}\", upstream: rooms, waf: tried, request: {strip_prefix: /s}, "+rest),
	})
	s.startGateway()
	for proto, client := range s.both() {
		withheld := func(path string, fields ...string) {
			t.Helper()
			res, body := whole(t, client, "GET", s.gatewayURL+path, fields...)
			if res.StatusCode != 502 || !strings.Contains(body, `"answer_withheld"`) || res.Header["X-Database"] != nil || res.Header["Content-Range"] != nil || strings.Contains(body, "SQL") {
				t.Errorf("%s %s %q is answered %d %v %.200q", proto, path, fields, res.StatusCode, res.Header, body)
			}
			e := s.event(res.Header.Get("X-Request-Id"))
			if told, _ := e["portcullis"].(map[string]any); told["decision"] != "deny" || told["stage"] != "forward" || told["code"] != "answer_withheld" {
				t.Errorf("the event is %v", told)
			}
		}
		direct := func(path string) string {
			_, body := whole(t, http.DefaultClient, "GET", backend.URL+path)
			return body
		}
		for path := range leaks {
			withheld(path)
			withheld("/z"+path, "Accept-Encoding", "gzip")
			withheld(path, "Range", "bytes=0-15")
			withheld(path, "Range", "bytes=16-31", "If-Range", `"v1"`)
			// A profile in shadow changes nothing, not even for who asks for a part.
			if res, body := whole(t, client, "GET", s.gatewayURL+"/s"+path); res.StatusCode != 200 || body != leaks[path].body || res.Header.Get("X-Database") != "db-7" {
				t.Errorf("%s /s%s is answered %d %q", proto, path, res.StatusCode, body)
			} else if told, _ := s.event(res.Header.Get("X-Request-Id"))["portcullis"].(map[string]any); !strings.Contains(fmt.Sprint(told["shadow"]), "tried:959100") {
				t.Errorf("the event of what is in shadow is %v", told)
			}
			if res, body := whole(t, client, "GET", s.gatewayURL+"/s"+path, "Range", "bytes=0-15"); res.StatusCode != 206 || body != leaks[path].body[:16] {
				t.Errorf("%s /s%s in a part is answered %d %q", proto, path, res.StatusCode, body)
			}
			if res, _ := whole(t, client, "HEAD", s.gatewayURL+path); res.StatusCode != 200 {
				t.Errorf("%s HEAD %s is answered %d", proto, path, res.StatusCode)
			}
		}
		withheld("/encoded", "Accept-Encoding", "gzip")
		for _, path := range []string{"/rooms", "/z/rooms"} {
			if res, body := whole(t, client, "GET", s.gatewayURL+path); res.StatusCode != 200 || body != direct("/rooms") || res.Header.Get("Etag") == "" {
				t.Errorf("%s %s is answered %d, %d bytes", proto, path, res.StatusCode, len(body))
			}
		}
		if res, body := whole(t, client, "GET", s.gatewayURL+"/z/rooms", "Accept-Encoding", "gzip"); res.Header.Get("Content-Encoding") != "gzip" || len(body) > 50_000 {
			t.Errorf("%s: an inspected page is compressed as %q, %d bytes", proto, res.Header.Get("Content-Encoding"), len(body))
		}
		if res, body := whole(t, client, "GET", s.gatewayURL+"/rooms", "If-None-Match", `"v1"`); res.StatusCode != 304 || body != "" {
			t.Errorf("%s: a page that is known is answered %d", proto, res.StatusCode)
		}
		if _, body := whole(t, client, "GET", s.gatewayURL+"/asked", "Accept-Encoding", "br, gzip", "Range", "bytes=0-7"); body != `[]["identity"]` {
			t.Errorf("%s: the backend is asked for %s", proto, body)
		}
		if res, body := whole(t, client, "GET", s.gatewayURL+"/half"); res.StatusCode != 502 || !strings.Contains(body, `"bad_gateway"`) {
			t.Errorf("%s: half an answer is %d %q", proto, res.StatusCode, body)
		}
		res, err := client.Get(s.gatewayURL + "/events")
		if err != nil {
			t.Fatal(err)
		}
		from := bufio.NewReader(res.Body)
		for i := range 3 {
			line, err := from.ReadString('\n')
			if err != nil || line != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("%s: event %d is %q, %v", proto, i, line, err)
			}
			_, _ = from.ReadString('\n')
			next <- struct{}{}
		}
		_ = res.Body.Close()
	}
}
