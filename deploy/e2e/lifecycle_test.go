package e2e

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestTermUnderLoadFailsNoRequest: readiness fails first; the load goes
// elsewhere once it sees that; what is under way ends well.
func TestTermUnderLoadFailsNoRequest(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.gatewayArgs = append(s.gatewayArgs, "--drain-delay", "2s")
	s.startAuth()
	s.startGateway()
	bearer := s.as("g-7", "e2e")
	var draining atomic.Bool
	var sent atomic.Int64
	var senders sync.WaitGroup
	for i := range 4 {
		client := s.newClient()
		target := "/e2e/echo"
		if i == 0 {
			target = "/slow/second" // under way when the signal comes
		}
		senders.Go(func() {
			for !draining.Load() {
				a, err := s.try(client, "GET", target, bearer, "")
				sent.Add(1)
				if err != nil || a.status != 200 {
					t.Errorf("a request failed: %d %s %v", a.status, a.body, err)
					return
				}
			}
		})
	}
	until(t, "the load is on", 20*time.Second, func() bool { return sent.Load() > 50 })
	s.gateway.signal(syscall.SIGTERM)
	until(t, "readiness fails", 5*time.Second, func() bool {
		status, err := get(s.opsURL + "/readyz")
		return err != nil || status != 200
	})
	draining.Store(true)
	senders.Wait()
	if code := s.gateway.exits(); code != 0 {
		t.Errorf("exit code %d, want 0: %s", code, s.gateway.tail())
	}
	if events := int64(len(s.events())); events < sent.Load() {
		t.Errorf("%d requests, %d events", sent.Load(), events)
	}
}

// TestTheTokenServiceMayBeDown: tokens that are valid keep passing on the keys
// the gateway holds.
func TestTheTokenServiceMayBeDown(t *testing.T) {
	t.Parallel()
	s := start(t)
	bearer := s.commandToken("demo")
	if a := s.send("GET", searchTarget, bearer, ""); a.status != 200 {
		t.Fatalf("before: %d %s", a.status, a.body)
	}
	s.auth.kill()
	for end := time.Now().Add(tokenOutage); time.Now().Before(end); {
		if a := s.send("GET", searchTarget, bearer, ""); a.status != 200 && a.status != 429 {
			t.Fatalf("while the token service was down: %d %s", a.status, a.body)
		}
		<-time.After(300 * time.Millisecond) // the outage is in real time
	}
	s.startAuth()
	if a := s.send("GET", searchTarget, s.commandToken("demo"), ""); a.status != 200 {
		t.Errorf("a new token afterwards: %d %s", a.status, a.body)
	}
}

// TestTheIssuerMayComeLater: the gateway starts without it, refuses what it
// cannot check, and takes tokens once the keys can be had.
func TestTheIssuerMayComeLater(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.outside.Down()
	s.startAuth()
	s.startGateway()
	bearer := s.as("g-7", "e2e")
	if a := s.send("GET", "/e2e/echo", bearer, ""); a.status != 503 || a.code() != "issuer_unavailable" || a.header.Get("Retry-After") == "" {
		t.Errorf("without keys: %d %s", a.status, a.body)
	}
	s.outside.Up()
	until(t, "tokens pass once the keys can be had", 30*time.Second, func() bool {
		return s.send("GET", "/e2e/echo", bearer, "").status == 200
	})
}

// TestAStalledReaderOfTheEventLogStallsNoRequest: nobody reads the pipe that
// events go to; requests pass all the same, and lost events are counted.
func TestAStalledReaderOfTheEventLogStallsNoRequest(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.startAuth()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = read.Close() })
	s.gateway = &process{t: t, name: "gateway", done: make(chan struct{})}
	s.gateway.start(s.env, write, filepath.Join(bin, "gateway"), s.gatewayArgs[1:]...)
	_ = write.Close() // the child has its own
	s.ready(s.gateway, s.opsURL)
	// A query of unlisted names makes events large: the pipe and the buffer are
	// full after a few hundred.
	target := "/open?" + strings.Repeat("abcdefgh=1&", 150) + "z=1"
	var senders sync.WaitGroup
	for range 4 {
		client := s.newClient()
		senders.Go(func() {
			for range 400 {
				if a, err := s.try(client, "GET", target, "", ""); err != nil || a.status != 200 {
					t.Errorf("with a stalled log: %d %s %v", a.status, a.body, err)
					return
				}
			}
		})
	}
	senders.Wait()
	if dropped := s.metric("portcullis_events_dropped_total"); dropped == "" || dropped == "0" {
		t.Errorf("dropped events: %q, want some: the reader was not stalled, or they are not counted", dropped)
	}
	s.gateway.signal(syscall.SIGTERM)
	if code := s.gateway.exits(); code != 0 {
		t.Errorf("exit code %d with a stalled log, want 0", code)
	}
}

func copyTo(w io.Writer, r io.Reader) (int64, error) { return io.Copy(w, io.LimitReader(r, 16<<20)) }
