package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// pipes is a listener in memory, on which time is virtual.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return piped{conn}, nil
}

func (p pipes) Close() error { return nil }

func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// piped has an address, which a pipe has not.
type piped struct{ net.Conn }

func (piped) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// TestABodyHasToBringItsRate: on a route with time for large uploads, a client
// that sends a byte a second loses its place soon, and one that keeps to the rate,
// or pauses, or waits for a slow upstream, does not.
func TestABodyHasToBringItsRate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		length, part int
		every        time.Duration
		upstream     time.Duration // between two reads
		want         int
		within       time.Duration
	}{
		"a byte a second":                            {1000, 1, time.Second, 0, 408, 8 * time.Second},
		"nothing":                                    {1000, 0, time.Hour, 0, 408, 8 * time.Second},
		"half the rate":                              {100_000, 250, time.Second, 0, 408, 15 * time.Second},
		"twice the rate":                             {100_000, 1000, time.Second, 0, 200, 105 * time.Second},
		"much, then a pause, then the rest":          {100_000, 50_000, 60 * time.Second, 0, 200, 65 * time.Second},
		"all at once to an upstream that is slow":    {100_000, 100_000, 0, time.Second, 200, 130 * time.Second},
		"the rate, for longer than the route allows": {1_000_000, 1000, time.Second, 0, 408, 310 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				if got := upload(t, c.length, c.part, c.every, c.upstream); got != c.want {
					t.Errorf("answered with %d, want %d", got, c.want)
				}
				if took := time.Since(began); took > c.within {
					t.Errorf("it held its place for %v, want at most %v", took, c.within)
				}
			})
		})
	}
}

// upload sends a body in parts to a route with five minutes for it.
func upload(t *testing.T, length, part int, every, upstream time.Duration) int {
	route := &pipeline.Route{
		Name: "upload", Methods: []string{"POST"}, Pattern: "/", Timeout: 5 * time.Minute, Body: 10 << 20, Meter: meter{},
		Forward: forwardFunc(func(w http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
			for buffer := make([]byte, 1000); ; time.Sleep(upstream) {
				if _, err := tx.Request.Body.Read(buffer); err == io.EOF {
					break
				} else if err != nil {
					return pipeline.Result{}, problem.New(problem.RequestTimeout, "").Because(err)
				}
			}
			w.WriteHeader(200)
			return pipeline.Result{Status: 200}, nil
		}),
	}
	s := &pipeline.Snapshot{Hosts: map[string]bool{"localhost": true}, Routes: []*pipeline.Route{route}}
	s.Index()
	current := &pipeline.Current{}
	current.Store(s)
	h, err := edge.New(edge.Config{Current: current, Events: &lines{got: make(chan struct{}, 100)}, Unmatched: meter{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server, listener := &http.Server{Handler: h, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute}, make(pipes)
	go func() { _ = server.Serve(listener) }()
	near, far := net.Pipe()
	listener <- far
	defer func() {
		near.Close()
		close(listener)
		server.Close()
		time.Sleep(time.Second) // net/http lingers on a connection that it hangs up
	}()
	over := make(chan struct{})
	defer close(over)
	go func() {
		fmt.Fprintf(near, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", length)
		for sent := 0; sent < length; sent += part {
			if _, err := near.Write(make([]byte, min(part, length-sent))); err != nil {
				return
			}
			select {
			case <-time.After(every):
			case <-over:
				return
			}
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(near), nil)
	if err != nil {
		return 0
	}
	return res.StatusCode
}
