package listen

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/certs"
	"portcullis/gateway/internal/pipeline"
)

// TestKeysOfSessionsAreReplaced: whoever gets one opens what was said under it for
// days, and not for as long as the process lives.
func TestKeysOfSessionsAreReplaced(t *testing.T) {
	t.Parallel()
	authority, err := certs.Dev(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	files, err := authority.Leaf("gateway", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	shelf, err := certs.NewShelf([]certs.Files{files}, nil)
	if err != nil {
		t.Fatal(err)
	}
	current := &pipeline.Current{}
	current.Store(&pipeline.Snapshot{})
	a, err := New(Config{Current: current, Certificates: shelf, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	a.tls.Time = now
	memory := tls.NewLRUClientSessionCache(1)
	resumes := func(after time.Duration, memory tls.ClientSessionCache) bool {
		t.Helper()
		later.Store(int64(after))
		near, far := net.Pipe()
		defer near.Close()
		go func() {
			defer far.Close()
			server := tls.Server(far, a.tls)
			if _, err := server.Write([]byte{1}); err == nil {
				_, _ = io.Copy(io.Discard, server)
			}
		}()
		client := tls.Client(near, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", MinVersion: tls.VersionTLS13, ClientSessionCache: memory, Time: now})
		if _, err := client.Read(make([]byte, 1)); err != nil { // the ticket comes before it
			t.Fatal(err)
		}
		return client.ConnectionState().DidResume
	}
	if resumes(0, memory) {
		t.Fatal("a session was resumed that never was")
	}
	state, found := memory.Get("localhost")
	if !found {
		t.Fatal("there is no session to resume")
	}
	first := tls.NewLRUClientSessionCache(1)
	first.Put("localhost", state)
	if !resumes(time.Hour, memory) {
		t.Error("an hour later the session is not resumed")
	}
	resumes(25*time.Hour, tls.NewLRUClientSessionCache(1))   // a second key
	resumes(8*24*time.Hour, tls.NewLRUClientSessionCache(1)) // a third, and the first is gone
	if resumes(2*time.Hour, first) {
		t.Error("after a week the first key still opens sessions")
	}
}
