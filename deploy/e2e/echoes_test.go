package e2e

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// echoed is what a service makes of a request, by its own parser. Fields are in
// lower case; one of several lines has several values, or one with commas.
type echoed struct {
	Method, Target, Path, Query string
	Params                      [][2]string
	Header                      map[string][]string
	Body                        string
}

// echo is a service that tells what it is asked. Behind nginx, haproxy and Apache
// it is Go, which tells their reading and the body and fields that they pass on.
type echo struct {
	name string
	addr string // host:port
}

// url is where the gateway finds it.
func (e echo) url() string { return "http://" + e.addr }

// echoes are services by five hands: Go and Node, and Apache, nginx and haproxy
// with Go behind.
func echoes(t *testing.T) []echo {
	t.Helper()
	behind := httptest.NewServer(http.HandlerFunc(tell))
	t.Cleanup(behind.Close)
	back := behind.Listener.Addr().String()
	return []echo{
		{"go", back},
		startEcho(t, "node", "", func(dir, port string) []string {
			return []string{"node", filepath.Join(dir, "echo.js"), port}
		}),
		startEcho(t, "apache", back, func(dir, _ string) []string {
			return []string{"/usr/sbin/apache2", "-X", "-f", filepath.Join(dir, "apache.conf")}
		}),
		startEcho(t, "nginx", back, func(dir, _ string) []string {
			return []string{"/usr/sbin/nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log")}
		}),
		startEcho(t, "haproxy", back, func(dir, _ string) []string {
			return []string{"/usr/sbin/haproxy", "-db", "-f", filepath.Join(dir, "haproxy.cfg")}
		}),
	}
}

// tell is the echo in Go.
func tell(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e := echoed{Method: r.Method, Target: r.RequestURI, Path: r.URL.Path, Query: r.URL.RawQuery, Header: map[string][]string{}, Body: latin1(body)}
	for name, values := range r.Header {
		e.Header[strings.ToLower(name)] = values
	}
	for name, values := range r.Trailer {
		e.Header[strings.ToLower(name)] = append(e.Header[strings.ToLower(name)], values...)
	}
	for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if part == "" {
			continue
		}
		if one, err := url.ParseQuery(part); err == nil {
			for name, values := range one {
				e.Params = append(e.Params, [2]string{name, values[0]})
			}
		}
	}
	for own, of := range map[string]*string{"x-echo-method": &e.Method, "x-echo-path": &e.Path, "x-echo-query": &e.Query} {
		if values := e.Header[own]; len(values) == 1 {
			*of, e.Params = values[0], nil
		}
		delete(e.Header, own)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(e) // who left is not told
}

// latin1 is bytes as characters of the same number, so that JSON keeps them.
func latin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// startEcho starts one of another make, in a folder of its own, and waits until
// it answers.
func startEcho(t *testing.T, name, behind string, command func(dir, port string) []string) echo {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // Apache's workers are another user
		t.Fatal(err)
	}
	port := strings.TrimPrefix(free(t), "localhost:")
	_, back, _ := strings.Cut(behind, ":")
	files, err := filepath.Glob("testdata/echoes/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		filled := strings.NewReplacer("DIR", dir, "PORT", port, "BEHIND", back).Replace(string(text))
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(filled), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e := echo{name, net.JoinHostPort("127.0.0.1", port)}
	p := &process{t: t, name: name, done: make(chan struct{})}
	args := command(dir, port)
	p.start(nil, nil, args[0], args[1:]...)
	until(t, name+" answers", time.Minute, func() bool {
		select {
		case <-p.done:
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("%s ended: %v\n%s\n%s", name, p.err, p.tail(), log)
		default:
		}
		res, err := http.Get(e.url() + "/")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return e
}
