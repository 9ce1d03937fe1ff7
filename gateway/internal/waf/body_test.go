package waf

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// outcome is what became of one request at a real server.
type outcome struct {
	decision  pipeline.Decision
	clientErr error
	body      string
}

// serve runs the stage behind a real TLS server and reports every outcome.
func serve(t *testing.T, readTimeout time.Duration) (*httptest.Server, <-chan outcome) {
	t.Helper()
	outcomes := make(chan outcome, 8)
	i, gate := inspector(t), NewGate(0)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tx := &pipeline.Transaction{
			Request: r, Host: "localhost", Path: r.URL.EscapedPath(), Source: netip.IPv6Loopback(), Start: time.Now(),
			Route: &pipeline.Route{Stages: []pipeline.Stage{NewStage(gate, &Use{Inspector: i})}},
		}
		if readTimeout > 0 {
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
				t.Error(err)
			}
		}
		d := pipeline.Decide(tx)
		outcomes <- outcome{d, tx.ClientErr(), string(tx.Body)}
		if d.Problem != nil {
			w.WriteHeader(d.Problem.Status())
		}
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, outcomes
}

func TestABodyIsReadWholeOverHTTP2(t *testing.T) {
	server, outcomes := serve(t, 0)
	body := `{"note":"` + strings.Repeat("a quiet room please ", 250) + `"}`
	// Without a length, so that it grows while it is read.
	resp, err := server.Client().Post(server.URL+"/v1/reservations", "application/json", io.MultiReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	got := <-outcomes
	if got.decision.Kind != pipeline.Allow || got.body != body {
		t.Errorf("decision %v: %v; read %d of %d bytes", got.decision.Kind, got.decision.Problem, len(got.body), len(body))
	}
}

func TestABodyOverTheBoundIs413(t *testing.T) {
	server, outcomes := serve(t, 0)
	long := strings.Repeat("a", MaxBody+1)
	for name, body := range map[string]io.Reader{
		"announced":   strings.NewReader(long),
		"unannounced": io.MultiReader(strings.NewReader(long)),
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := server.Client().Post(server.URL+"/", "application/x-www-form-urlencoded", body)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := <-outcomes; got.decision.Problem == nil || got.decision.Problem.Code != problem.BodyTooLarge {
				t.Errorf("decision %v: %v", got.decision.Kind, got.decision.Problem)
			}
		})
	}
}

// The engine refuses a body as long as its own limit, so ours is set one above.
func TestABodyAtTheBoundIsInspected(t *testing.T) {
	i, err := New(Config{Profile: Profile{Name: "small", Body: leastBody, Args: leastArgs, Depth: 1}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	stage := NewStage(NewGate(0), &Use{Inspector: i})
	for length, want := range map[int]problem.Code{leastBody - 1: "", leastBody: "", leastBody + 1: problem.BodyTooLarge} {
		tx := request("POST", "/", formMedia, "a="+strings.Repeat("b", length-2))
		err := stage.Decide(tx)
		if p, _ := errors.AsType[*problem.Problem](err); want == "" && err != nil || want != "" && (p == nil || p.Code != want) {
			t.Errorf("%d bytes: %v, want %q", length, err, want)
		}
	}
	script := "%3Cscript%3Ealert(1)%3C/script%3E"
	attacked := request("POST", "/", formMedia, "a="+strings.Repeat("b", leastBody-2-len(script))+script)
	if p, _ := errors.AsType[*problem.Problem](stage.Decide(attacked)); p == nil || p.Code != problem.WAFDenied {
		t.Errorf("an attack that fills the bound: %v", p)
	}
}

// What a client does to its own request must look like the client's failure: a
// fault would page somebody.
func TestBrokenBodiesAreTheClientsFailure(t *testing.T) {
	const head = "POST /v1/reservations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	for name, tc := range map[string]struct {
		sent    string
		hangUp  bool
		timeout time.Duration
		want    problem.Code
	}{
		"a client that hangs up":         {sent: head + "Content-Length: 100\r\n\r\n{", hangUp: true, want: problem.BadRequest},
		"a chunk that is no chunk":       {sent: head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", want: problem.BadRequest},
		"a client that stops in between": {sent: head + "Content-Length: 100\r\n\r\n{", timeout: 50 * time.Millisecond, want: problem.RequestTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			server, outcomes := serve(t, tc.timeout)
			conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // the test's own server
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := fmt.Fprint(conn, tc.sent); err != nil {
				t.Fatal(err)
			}
			if tc.hangUp {
				_ = conn.NetConn().(*net.TCPConn).CloseWrite()
			}
			got := <-outcomes
			if got.decision.Kind != pipeline.Deny || got.decision.Problem.Code != tc.want {
				t.Errorf("decision %v: %v, want %s", got.decision.Kind, got.decision.Problem, tc.want)
			}
			if got.clientErr == nil {
				t.Error("the failure is not recorded as the client's")
			}
		})
	}
}

func TestExpectedContinueIsNoAttack(t *testing.T) {
	server, outcomes := serve(t, 0)
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // the test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/7.58.0\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	answer := bufio.NewReader(conn)
	if line, err := answer.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("%q, %v", line, err)
	}
	fmt.Fprint(conn, "{}")
	if got := <-outcomes; got.decision.Kind != pipeline.Allow {
		t.Errorf("decision %v: %v", got.decision.Kind, got.decision.Problem)
	}
}
