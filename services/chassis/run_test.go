package chassis_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/certs"
	"portcullis/services/chassis"
)

// process is a chassis.Run under test.
type process struct {
	addr, ops string
	stop      context.CancelFunc
	done      chan error
}

func start(t *testing.T, c chassis.Config) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{stop: cancel, done: make(chan error, 1)}
	ready, ops := make(chan string, 1), make(chan string, 1)
	c.Name, c.Addr, c.Ops = "test", "localhost:0", "localhost:0"
	c.OnReady = func(addr string) { ready <- addr }
	c.OnOps = func(addr string) { ops <- addr }
	go func() { p.done <- chassis.Run(ctx, c) }()
	select {
	case p.ops = <-ops:
		p.addr = <-ready
	case err := <-p.done:
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	return p
}

// get returns status and body, or 0 and the error's text.
func get(c *http.Client, url string) (int, string) {
	resp, err := c.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func fresh() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
}

func hello(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }

func TestARequestThatHasBegunIsFinished(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	stopped := make(chan struct{})
	p := start(t, chassis.Config{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			<-finish
			io.WriteString(w, "whole")
		}),
		Stop: func(context.Context) error { close(stopped); return nil },
	})
	answer := make(chan string, 1)
	go func() {
		_, body := get(fresh(), "http://"+p.addr)
		answer <- body
	}()
	<-begun
	p.stop()
	for { // until the listener is closed, so that the shutdown is under way
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			break
		}
		conn.Close()
	}
	select {
	case <-stopped:
		t.Error("what the handler needs was ended before the handler")
	default:
	}
	close(finish)
	if body := <-answer; body != "whole" {
		t.Errorf("the client got %q", body)
	}
	if err := <-p.done; err != nil {
		t.Error(err)
	}
	<-stopped
}

func TestReadinessFailsBeforeTheDoorCloses(t *testing.T) {
	p := start(t, chassis.Config{Handler: http.HandlerFunc(hello), DrainDelay: 500 * time.Millisecond})
	if status, _ := get(fresh(), "http://"+p.ops+"/readyz"); status != 200 {
		t.Fatalf("readyz %d before the drain", status)
	}
	p.stop()
	for status := 200; status == 200; {
		status, _ = get(fresh(), "http://"+p.ops+"/readyz")
	}
	c := &http.Client{}
	resp, err := c.Get("http://" + p.addr)
	if err != nil {
		t.Fatalf("a request during the drain delay fails: %v", err)
	}
	resp.Body.Close()
	if !resp.Close {
		t.Error("the client is not asked to leave this connection")
	}
	if status, _ := get(fresh(), "http://"+p.ops+"/healthz"); status != 200 {
		t.Error("a process that drains claims to be dead")
	}
	if err := <-p.done; err != nil {
		t.Error(err)
	}
}

func TestARequestThatNeverEndsIsCutOffAndReported(t *testing.T) {
	begun := make(chan struct{})
	stopped := false
	p := start(t, chassis.Config{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
		}),
		DrainTimeout: 50 * time.Millisecond,
		Stop: func(ctx context.Context) error {
			stopped = ctx.Err() == nil
			return errors.New("disk on fire")
		},
	})
	go get(fresh(), "http://"+p.addr)
	<-begun
	p.stop()
	err := <-p.done
	if err == nil || !strings.Contains(err.Error(), "cut off") || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("error %v", err)
	}
	if !stopped {
		t.Error("Stop was not called, or had no time left")
	}
}

func TestTheOpsPort(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "rooms_sold_total", Help: "x"})
	registry.MustRegister(counter)
	broken := make(chan error, 1)
	p := start(t, chassis.Config{
		Handler: http.HandlerFunc(hello),
		Metrics: registry,
		Ready: func(context.Context) error {
			select {
			case err := <-broken:
				return err
			default:
				return nil
			}
		},
		OpsHandler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "mine "+r.URL.Path) }),
	})
	for path, want := range map[string]string{
		"/healthz": "ok\n", "/readyz": "ready\n", "/metrics": "rooms_sold_total 0", "/status": "mine /status",
	} {
		if status, body := get(fresh(), "http://"+p.ops+path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	broken <- errors.New("the database is locked")
	if status, body := get(fresh(), "http://"+p.ops+"/readyz"); status != 503 || !strings.Contains(body, "the database is locked") {
		t.Errorf("readyz says %d %q", status, body)
	}
	if status, body := get(fresh(), "http://"+p.addr+"/metrics"); status != 200 || body != "HTTP/1.1" {
		t.Errorf("the public port answers /metrics itself: %d %q", status, body)
	}
}

// TestASiteThatPointsItsNameAtThisMachineReadsNothing is DNS rebinding: the
// browser sends the site's own name as Host.
func TestASiteThatPointsItsNameAtThisMachineReadsNothing(t *testing.T) {
	p := start(t, chassis.Config{Handler: http.HandlerFunc(hello), Metrics: prometheus.NewRegistry()})
	for host, want := range map[string]int{
		"": 200, "localhost": 200, "LOCALHOST:9901": 200, "127.0.0.1:9901": 200, "[::1]:9901": 200, "[::1]": 200,
		"evil.example": 421, "evil.example:9901": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example:1": 421, "localhost.": 421,
	} {
		r, err := http.NewRequest(http.MethodGet, "http://"+p.ops+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		res, err := fresh().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("Host %q: %d, want %d", host, res.StatusCode, want)
		}
	}
}

func TestHTTPSSpeaksBothVersions(t *testing.T) {
	a, err := certs.Dev(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	files, err := a.Leaf("gateway", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	srv, err := certs.NewServer(certs.ServerConfig{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: files.CA}})
	if err != nil {
		t.Fatal(err)
	}
	tuned := false
	p := start(t, chassis.Config{
		Handler: http.HandlerFunc(hello), TLS: srv.Server(),
		Tune: func(s *http.Server) {
			tuned = s.HTTP2.MaxConcurrentStreams == 100 && s.ReadHeaderTimeout == 5*time.Second
		},
	})
	for want, h2 := range map[string]bool{"HTTP/2.0": true, "HTTP/1.1": false} {
		transport := &http.Transport{TLSClientConfig: trust.Client(), ForceAttemptHTTP2: h2}
		if status, body := get(&http.Client{Transport: transport}, "https://"+p.addr); status != 200 || body != want {
			t.Errorf("want %s, got %d %q", want, status, body)
		}
		transport.CloseIdleConnections()
	}
	if !tuned {
		t.Error("Tune was not given a server with its bounds set")
	}
}

func TestConnectionsBeyondTheBoundWait(t *testing.T) {
	p := start(t, chassis.Config{Handler: http.HandlerFunc(hello), Limits: chassis.Limits{Connections: 1}})
	first, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := first.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	second, err := net.Dial("tcp", p.addr) // the system queues it
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	io.WriteString(second, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	second.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := second.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the second is served beside the first: %v", err)
	}
	first.Close()
	second.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := second.Read(make([]byte, 1)); err != nil {
		t.Errorf("the second is not served after the first: %v", err)
	}
	p.stop()
	if err := <-p.done; err != nil {
		t.Errorf("a full house cannot be closed: %v", err)
	}
}

func TestAProcessThatCannotRunSaysWhy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]chassis.Config{
		"there is no handler":                     {Addr: "localhost:0"},
		"it cannot be negative":                   {Addr: "localhost:0", Handler: http.NotFoundHandler(), Limits: chassis.Limits{Read: -1}},
		"the drain delay":                         {Addr: "localhost:0", Handler: http.NotFoundHandler(), DrainDelay: -1},
		"is not an address to listen on (--addr)": {Addr: "8443", Handler: http.NotFoundHandler()},
		"move the port with --ops or PORT_BASE":   {Addr: "localhost:0", Handler: http.NotFoundHandler(), Ops: taken.Addr().String()},
	} {
		if err := chassis.Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, got %v", name, err)
		}
	}
}

func TestThePlainListenerSharesTheLifeOfTheProcess(t *testing.T) {
	plain := make(chan string, 1)
	p := start(t, chassis.Config{
		Handler: http.HandlerFunc(hello), Plain: "localhost:0", OnPlain: func(addr string) { plain <- addr },
		PlainHandler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "in the clear") }),
		Limits:       chassis.Limits{HeaderBytes: 1 << 10, ReadHeader: 100 * time.Millisecond},
	})
	addr := <-plain
	if status, body := get(fresh(), "http://"+addr); status != 200 || body != "in the clear" {
		t.Errorf("%d %q", status, body)
	}
	if status, body := get(fresh(), "http://"+p.addr); status != 200 || body != "HTTP/1.1" {
		t.Errorf("beside it: %d %q", status, body)
	}
	// Its clients have the same bounds: one that sends no header is hung up on.
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a client that sends nothing: %v", err)
	}
	p.stop()
	if err := <-p.done; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("it outlives the process")
	}
}

func TestAPlainListenerNeedsAHandlerAndAFreePort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		config chassis.Config
		want   string
	}{
		"no handler":   {chassis.Config{Handler: http.HandlerFunc(hello), Addr: "localhost:0", Plain: "localhost:0"}, "no handler to serve in the clear"},
		"a taken port": {chassis.Config{Handler: http.HandlerFunc(hello), Addr: "localhost:0", Ops: "localhost:0", Plain: taken.Addr().String(), PlainHandler: http.HandlerFunc(hello)}, "--http"},
	} {
		if err := chassis.Run(context.Background(), c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
