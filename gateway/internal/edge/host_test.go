package edge_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http/httptest"
	"testing"

	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
)

// TestARequestComesByTheConnectionOfItsHost: what was asked of a client when its
// connection was opened was asked for the name it said then.
func TestARequestComesByTheConnectionOfItsHost(t *testing.T) {
	t.Parallel()
	ours, other := &x509.Certificate{Raw: []byte("our authority")}, &x509.Certificate{Raw: []byte("another")}
	leaf := &x509.Certificate{Raw: []byte("a client")}
	asked := func(required bool) *pipeline.ClientAuth {
		return &pipeline.ClientAuth{Required: required, Roots: map[[32]byte]bool{sha256.Sum256(ours.Raw): true}}
	}
	route := &pipeline.Route{Name: "r", Methods: []string{"GET"}, Pattern: "/", Meter: meter{}, Forward: forwardFunc(echo)}
	s := &pipeline.Snapshot{
		Hosts:              map[string]bool{"open.test": true, "guarded.test": true, "optional.test": true, "::1": true},
		ClientCertificates: map[string]*pipeline.ClientAuth{"guarded.test": asked(true), "optional.test": asked(false)},
		Routes:             []*pipeline.Route{route},
	}
	s.Index()
	current := &pipeline.Current{}
	current.Store(s)
	h, err := edge.New(edge.Config{Current: current, Events: &lines{got: make(chan struct{}, 100)}, Unmatched: meter{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	by := func(name string, chain ...*x509.Certificate) *tls.ConnectionState {
		state := &tls.ConnectionState{ServerName: name}
		if len(chain) > 0 {
			state.PeerCertificates, state.VerifiedChains = chain[:1], [][]*x509.Certificate{chain}
		}
		return state
	}
	for name, c := range map[string]struct {
		host string
		tls  *tls.ConnectionState
		want int
	}{
		"the host of the handshake":                              {"open.test", by("open.test"), 200},
		"the same with a port":                                   {"open.test:8443", by("open.test"), 200},
		"the same in other letters":                              {"OPEN.test", by("Open.Test"), 200},
		"another host than that of the handshake":                {"open.test", by("guarded.test", leaf, ours), 421},
		"a guarded host on the connection of an open one":        {"guarded.test", by("open.test"), 421},
		"a host on the connection of one that is not served":     {"open.test", by("evil.example"), 421},
		"a host on a connection for no name":                     {"open.test", by(""), 200},
		"a host on a connection for an address":                  {"open.test", by("127.0.0.1"), 200},
		"an address on a connection for no name":                 {"[::1]", by(""), 200},
		"an address on a connection for a name":                  {"[::1]", by("open.test"), 421},
		"a guarded host by its own connection":                   {"guarded.test", by("guarded.test", leaf, ours), 200},
		"a guarded host on a connection from before it was":      {"guarded.test", by("guarded.test"), 421},
		"a guarded host on a connection for no name":             {"guarded.test", by(""), 421},
		"a guarded host on one for no name, with a certificate":  {"guarded.test", by("", leaf, ours), 200},
		"a guarded host with a certificate of other authorities": {"guarded.test", by("guarded.test", leaf, other), 421},
		"a guarded host without TLS":                             {"guarded.test", nil, 421},
		"an optional certificate that is not shown":              {"optional.test", by("optional.test"), 200},
		"an optional certificate that is good":                   {"optional.test", by("optional.test", leaf, ours), 200},
		"an optional certificate of other authorities":           {"optional.test", by("optional.test", leaf, other), 421},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.TLS, r.RequestURI = c.host, c.tls, "/"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
	}
}
