package edge_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
)

// windowless opens a connection that lets no octet of an answer through, sends
// many requests over it and tells how they were answered, by status; whole counts
// the answers that ended with their head.
func windowless(t *testing.T, server *httptest.Server, path string, many int) (statuses map[string]int, whole int) {
	t.Helper()
	c := dialHTTP2(t, server, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for i := range many {
		c.ask(t, uint32(2*i+1), [2]string{":method", "GET"}, [2]string{":scheme", "https"}, [2]string{":authority", "127.0.0.1"}, [2]string{":path", path})
	}
	statuses = map[string]int{}
	for n := 0; n < many; {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("after %d answers: %v", n, err)
		}
		if f, ok := frame.(*http2.MetaHeadersFrame); ok {
			n++
			statuses[f.PseudoValue("status")]++
			if f.StreamEnded() {
				whole++
			}
		}
	}
	return statuses, whole
}

// TestClientsThatOpenNoWindowFillNoMemory: over HTTP/2 an answer waits for as long
// as its client likes, and a connection has a hundred. Those under way are bounded,
// what is beyond is refused without a body, and others are served.
func TestClientsThatOpenNoWindowFillNoMemory(t *testing.T) {
	t.Parallel()
	const many, connections, each = 20, 5, 50
	route := &pipeline.Route{Name: "small", Methods: []string{"GET"}, Pattern: "/small", Body: 1, Timeout: time.Minute, Meter: meter{},
		Forward: forwardFunc(func(w http.ResponseWriter, _ *pipeline.Transaction) (pipeline.Result, error) {
			_, err := io.WriteString(w, "short")
			return pipeline.Result{Status: 200, Broken: err}, nil
		})}
	for name, path := range map[string]string{"with a short answer": "/small", "with a refusal": "/nowhere"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &pipeline.Snapshot{Hosts: map[string]bool{"127.0.0.1": true}, Routes: []*pipeline.Route{route}}
			s.Index()
			current := &pipeline.Current{}
			current.Store(s)
			h, err := edge.New(edge.Config{Current: current, Events: &lines{got: make(chan struct{}, 1000)}, Unmatched: meter{}, Log: slog.New(slog.DiscardHandler), Streams: many})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewUnstartedServer(h)
			server.EnableHTTP2 = true
			server.StartTLS()
			t.Cleanup(server.Close)
			t.Cleanup(server.CloseClientConnections)
			waiting := 0
			for range connections {
				got, whole := windowless(t, server, path, each)
				if whole != got["503"] {
					t.Errorf("%d answers of %v ended with their head, want those that were refused for being too many", whole, got)
				}
				waiting += each - whole
			}
			if most := many + 4*connections; waiting > most || waiting < many {
				t.Errorf("%d answers wait, want %d to %d", waiting, many, most)
			}
			client := server.Client()
			res, err := client.Get(server.URL + "/small")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || string(body) != "short" || res.ProtoMajor != 2 {
				t.Errorf("a client of good manners gets %s %q %v", res.Status, body, err)
			}
		})
	}
}
