package edge_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
)

// windowless opens a connection that lets no octet of an answer through, sends
// many requests over it and tells how they were answered, by status; whole counts
// the answers that ended with their head.
func windowless(t *testing.T, server *httptest.Server, path string, many int) (statuses map[string]int, whole int) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := range many {
		block.Reset()
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "127.0.0.1"}, {":path", path}} {
			if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
				t.Fatal(err)
			}
		}
		if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
			t.Fatal(err)
		}
	}
	statuses = map[string]int{}
	for n := 0; n < many; {
		frame, err := framer.ReadFrame()
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
