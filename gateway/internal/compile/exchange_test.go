package compile

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
)

// The service learns from the token alone who asks and who acts, and an edit
// of the policy asks the token service for nothing it has given already.
func TestTheUpstreamIsSentTheCallersTokenExchanged(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 8)
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		raw, err := token.Bearer(r.Header)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		seen <- raw
	})
	exchanging := []string{"{client: backend}", "{exchange: backend}"}
	before, caller := f.lean(nil, exchanging...), f.mint()
	after := f.lean(before, append(slices.Clone(exchanging), "connect: 1s", "connect: 2s")...)
	for _, s := range []*pipeline.Snapshot{before, after, before} {
		if got := f.forwardAs(s, "/counted", caller); got != http.StatusOK {
			t.Fatalf("status %d", got)
		}
		p, err := f.issuer.VerifierFor("backend").Verify(t.Context(), <-seen, f.ask(s, "/counted", caller).Start)
		if err != nil {
			t.Fatal(err)
		}
		if p.Subject != "g-7" || p.Actor != "gateway" || p.Client != "gateway" || !p.Has("read") {
			t.Errorf("the service is told %+v", p)
		}
	}
	if f.issuer.Exchanges() != 1 {
		t.Errorf("one token was exchanged %d times", f.issuer.Exchanges())
	}
	// It is another caller's turn: nothing of the first is left.
	other := f.issuer.Mint(map[string]any{"sub": "g-9", "client_id": "web", "scope": "write"})
	if got := f.forwardAs(after, "/counted", other); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	p, err := f.issuer.VerifierFor("backend").Verify(t.Context(), <-seen, f.ask(after, "/counted", other).Start)
	if err != nil || p.Subject != "g-9" || p.Has("read") {
		t.Errorf("the service is told %+v, %v", p, err)
	}
}

func TestACallerWhoseTokenIsRevokedReachesNoUpstream(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was asked") })
	s := f.lean(nil, "{client: backend}", "{exchange: backend}")
	f.issuer.Revoke(token.Revocation{Kind: token.RevokeToken, Value: "stolen"})
	caller := f.issuer.Mint(map[string]any{"jti": "stolen", "sub": "g-7", "client_id": "web", "scope": "read"})
	tx := f.ask(s, "/counted", caller)
	tx.Bearer = caller // as if the gateway had not heard of it yet
	_, err := tx.Route.Forward.Forward(httptest.NewRecorder(), tx)
	if code(err) != "invalid_token" {
		t.Errorf("got %v", err)
	}
}
