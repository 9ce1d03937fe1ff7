package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// talkative is a backend that answers in every way HTTP has.
func talkative(t *testing.T, next <-chan struct{}) *httptest.Server {
	t.Helper()
	page := bytes.Repeat([]byte("A room with a view of the harbour.\n"), 1000)
	mux := http.NewServeMux()
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Etag", `"v1"`)
		// All that servers say of themselves.
		for _, name := range []string{"Server", "X-Powered-By", "Via", "X-Backend-Server", "X-AspNet-Version", "X-Envoy-Decorator-Operation", "Portcullis-Subject", "X-Forwarded-Host"} {
			h.Set(name, "rooms-7.internal")
		}
		h.Set("Referrer-Policy", "unsafe-url")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page))
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 5 {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			<-next // the client has the one before
		}
	})
	mux.HandleFunc("/hints", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusOK)
	})
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = w.Write(body)
		w.Header().Set("X-Sum", r.Trailer.Get("X-Sum"))
		w.Header().Set(http.TrailerPrefix+"X-Late", "1")
		w.Header().Set(http.TrailerPrefix+"X-Backend", "rooms-7.internal")
	})
	mux.HandleFunc("/takes", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	})
	mux.HandleFunc("/refuses", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge) // without a look at the body
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/page", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// answering is a gateway before that backend.
func answering(t *testing.T, next <-chan struct{}) (*system, string) {
	t.Helper()
	server := talkative(t, next)
	s := lone(t, map[string]string{
		"gateway.yaml": "version: 1\nhosts: [localhost]\ndefaults: {response: {set: {Referrer-Policy: no-referrer}}, body: 64MiB, timeout: 60s}\nupstreams:\n" +
			"  - {name: rooms, endpoints: [\"" + server.URL + "\"], credential: {none: the suite}}\n" +
			"  - {name: nobody, endpoints: [\"http://" + strings.Replace(free(t), "localhost", "127.0.0.1", 1) + "\"], credential: {none: the suite}}\n",
		"routes.yaml": routes(
			"plain: \"GET,POST /{what}\", upstream: rooms, "+openly,
			"compressed: \"GET,POST /z/{what}\", upstream: rooms, request: {strip_prefix: /z}, compress: [text/plain, text/event-stream], "+openly,
			"nobody: GET /nobody, upstream: nobody, "+openly),
	})
	s.startGateway()
	return s, server.URL
}

// whole asks and reads an answer to its end.
func whole(t *testing.T, client *http.Client, method, url string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// both are clients of either protocol.
func (s *system) both() map[string]*http.Client {
	all := map[string]*http.Client{"HTTP/1.1": s.http1(), "HTTP/2.0": s.newClient()}
	for _, c := range all {
		c.Transport.(*http.Transport).DisableCompression = true
	}
	return all
}

// TestAnswersAreTheSameAsDirect: parts, heads, conditions, with the fields that
// belong to them.
func TestAnswersAreTheSameAsDirect(t *testing.T) {
	t.Parallel()
	s, direct := answering(t, nil)
	for name, c := range map[string]struct {
		method string
		fields []string
	}{
		"a page":                         {"GET", nil},
		"its head":                       {"HEAD", nil},
		"a part":                         {"GET", []string{"Range", "bytes=5-9"}},
		"its end":                        {"GET", []string{"Range", "bytes=-3"}},
		"a part that is not there":       {"GET", []string{"Range", "bytes=999999-"}},
		"a part if it is the same":       {"GET", []string{"Range", "bytes=0-9", "If-Range", `"v1"`}},
		"all, because it is not":         {"GET", []string{"Range", "bytes=0-9", "If-Range", `"v0"`}},
		"nothing, because it is known":   {"GET", []string{"If-None-Match", `"v1"`}},
		"nothing, because it is another": {"GET", []string{"If-Match", `"v0"`}},
	} {
		for proto, client := range s.both() {
			for _, path := range []string{"/page", "/z/page"} {
				want, wantBody := whole(t, client, c.method, direct+"/page", c.fields...)
				// A client that takes a compressed page, and asks for a part, gets that part.
				got, body := whole(t, client, c.method, s.gatewayURL+path, append(c.fields, "Accept-Encoding", "br")...)
				if got.StatusCode != want.StatusCode || body != wantBody || got.Proto != proto {
					t.Errorf("%s by %s: %s %d and %d bytes, want %d and %d", name, proto, got.Proto, got.StatusCode, len(body), want.StatusCode, len(wantBody))
				}
				for _, field := range []string{"Content-Length", "Content-Range", "Etag", "Content-Type", "Accept-Ranges"} {
					if got.Header.Get(field) != want.Header.Get(field) {
						t.Errorf("%s by %s: %s is %q, direct %q", name, proto, field, got.Header.Get(field), want.Header.Get(field))
					}
				}
				if got.Header.Get("Referrer-Policy") != "no-referrer" || strings.Contains(fmt.Sprint(got.Header), "internal") {
					t.Errorf("%s by %s: %v", name, proto, got.Header)
				}
			}
		}
	}
	res, body := whole(t, s.client, "GET", s.gatewayURL+"/z/page", "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || len(plain) != 35000 || res.Header.Get("Etag") != `W/"v1"` || len(body) > 3500 {
		t.Errorf("%d bytes, unpacked %d, %v, %v", len(body), len(plain), err, res.Header)
	}
	if res, _ := whole(t, s.client, "GET", s.gatewayURL+"/z/page", "Accept-Encoding", "gzip", "Range", "bytes=0-4"); res.StatusCode != 206 || res.Header.Get("Content-Encoding") != "" {
		t.Errorf("a part: %d %v", res.StatusCode, res.Header)
	}
	if res, _ := whole(t, s.client, "GET", s.gatewayURL+"/z/away"); res.Header.Get("Location") != "/z/page" {
		t.Errorf("a redirect of the backend's leads to %q", res.Header.Get("Location"))
	}
	if res, body := whole(t, s.client, "GET", s.gatewayURL+"/nobody"); res.StatusCode != 503 || strings.Contains(body+fmt.Sprint(res.Header), "127.0.0.1") || strings.Contains(body, "nobody") || res.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("an upstream that is not there: %d %v %s", res.StatusCode, res.Header, body)
	}
}

// TestAnEventComesBeforeTheNextIsSent, by either protocol, compressed or not.
func TestAnEventComesBeforeTheNextIsSent(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	s, _ := answering(t, next)
	for proto, client := range s.both() {
		for _, path := range []string{"/events", "/z/events"} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", s.gatewayURL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept-Encoding", "gzip")
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			var from io.Reader = res.Body
			if res.Header.Get("Content-Encoding") == "gzip" {
				if from, err = gzip.NewReader(from); err != nil {
					t.Fatal(err)
				}
			} else if path == "/z/events" {
				t.Errorf("%s %s is not compressed: %v", proto, path, res.Header)
			}
			for i := range 5 {
				event := make([]byte, len("data: 0\n\n"))
				if _, err := io.ReadFull(from, event); err != nil || string(event) != fmt.Sprintf("data: %d\n\n", i) {
					t.Fatalf("%s %s: event %d is %q, %v", proto, path, i, event, err)
				}
				next <- struct{}{}
			}
			if rest, err := io.ReadAll(from); err != nil || len(rest) > 0 {
				t.Errorf("%s %s ends with %q, %v", proto, path, rest, err)
			}
			_ = res.Body.Close()
		}
	}
}

func TestHintsAndTrailersPass(t *testing.T) {
	t.Parallel()
	s, _ := answering(t, nil)
	for proto, client := range s.both() {
		var hints []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
			return nil
		}})
		r, err := http.NewRequestWithContext(ctx, "GET", s.gatewayURL+"/hints", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if fmt.Sprint(hints) != "[103 </style.css>; rel=preload]" || res.StatusCode != 200 {
			t.Errorf("%s: hints %v, then %d", proto, hints, res.StatusCode)
		}
		// Of no known length, so that there are trailers.
		r, err = http.NewRequestWithContext(t.Context(), "POST", s.gatewayURL+"/trailers", io.MultiReader(strings.NewReader("hello")))
		if err != nil {
			t.Fatal(err)
		}
		r.Trailer = http.Header{"X-Sum": {"42"}}
		if res, err = client.Do(r); err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if got := fmt.Sprint(res.Trailer); err != nil || string(body) != "hello" || got != "map[X-Late:[1] X-Sum:[42]]" {
			t.Errorf("%s: %q, %v, trailers %s", proto, body, err, got)
		}
	}
}

// TestWhoAsksBeforeTheySendIsAnsweredByTheBackend: 100 Continue is the
// backend's to say, and so is no.
func TestWhoAsksBeforeTheySendIsAnsweredByTheBackend(t *testing.T) {
	t.Parallel()
	s, _ := answering(t, nil)
	dial := func(head string) (net.Conn, *bufio.Reader) {
		conn, err := tls.Dial("tcp", host(s.gatewayURL), &tls.Config{RootCAs: s.pool, NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
		if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", strings.SplitN(head, "\n", 2)[0], host(s.gatewayURL), strings.SplitN(head, "\n", 2)[1]); err != nil {
			t.Fatal(err)
		}
		return conn, bufio.NewReader(conn)
	}
	conn, in := dial("POST /takes\nContent-Length: 5\r\nExpect: 100-continue")
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("%q %v", line, err)
	}
	_, _ = in.ReadString('\n')
	_, _ = io.WriteString(conn, "hello")
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 200 {
		t.Errorf("%v %v", res, err)
	}
	_, in = dial("POST /refuses\nContent-Length: 5\r\nExpect: 100-continue")
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 413") {
		t.Errorf("%q %v", line, err)
	}
	// Who sends all the same, and without end, hears it while they send.
	conn, in = dial("POST /refuses\nTransfer-Encoding: chunked")
	go func() {
		chunk := "4000\r\n" + strings.Repeat("a", 0x4000) + "\r\n"
		for {
			if _, err := io.WriteString(conn, chunk); err != nil {
				return
			}
		}
	}()
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 413") {
		t.Errorf("%q %v", line, err)
	}
}
