package edge_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// TestARefusalDoesNotWaitForABodyThatWaitsForIt: a client that asks before it
// sends, RFC 9110 section 10.1.1, sends nothing to whom it is refused. Whatever
// it sends next on this connection must not be taken for a request.
func TestARefusalDoesNotWaitForABodyThatWaitsForIt(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*pipeline.Transaction) error{
		"a body that nobody has looked at": func(*pipeline.Transaction) error { return nil },
		"a body that a stage looks on": func(tx *pipeline.Transaction) error {
			tx.WatchBody(100, func([]byte, error) { t.Error("a body that never came was looked at") })
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refuseUnsent(t, before)
		})
	}
}

func refuseUnsent(t *testing.T, before func(*pipeline.Transaction) error) {
	server, _ := serve(t, &pipeline.Route{Name: "denied", Methods: []string{"POST"}, Pattern: "/", Stages: []pipeline.Stage{
		stageFunc{"inspect", before},
		stageFunc{"authenticate", func(*pipeline.Transaction) error { return problem.New(problem.MissingToken, "") }},
	}})
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 50\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	res, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("no answer while the client waits for one: %v", err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusUnauthorized || !res.Close {
		t.Errorf("%d, closing %v: want 401 and the end of the connection", res.StatusCode, res.Close)
	}
}

// deadlined is a response that notes what it is told of deadlines.
type deadlined struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlined) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlined) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

func TestADribbledBodyHoldsAPlaceNoLongerThanItsRouteAllows(t *testing.T) {
	t.Parallel()
	server, _ := serve(t,
		&pipeline.Route{Name: "quick", Methods: []string{"POST"}, Pattern: "/quick", Timeout: 3 * time.Second},
		&pipeline.Route{Name: "slow", Methods: []string{"POST"}, Pattern: "/slow", Timeout: time.Minute})
	for _, c := range []struct {
		name, path, body string
		read, write      time.Duration // 0 for the server's own
	}{
		{"a body has the route's time and five seconds", "/quick", "a", 8 * time.Second, 0},
		{"no body, nothing to bound", "/quick", "", 0, 0},
		{"a slow route has its time both ways, and five seconds more to refuse a body", "/slow", "a", 65 * time.Second, 70 * time.Second},
	} {
		w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
		began := time.Now()
		r := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
		r.Host = "localhost"
		server.Config.Handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", c.name, w.Code, w.Body)
		}
		for what, d := range map[string]struct {
			got  time.Time
			want time.Duration
		}{"reading": {w.read, c.read}, "writing": {w.write, c.write}} {
			if off := d.got.Sub(began.Add(d.want)); d.want == 0 && !d.got.IsZero() || d.want != 0 && (off < 0 || off > time.Second) {
				t.Errorf("%s: %s ends at %v, %v after the start was wanted", c.name, what, d.got, d.want)
			}
		}
	}
}
