package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTokensThatOnlyTheirIssuerCanRead shows the gateway opaque tokens of an
// issuer, and then, after an edit, has it ask the real token service about each
// token, which is how revocations are noticed where they cannot be followed.
func TestTokensThatOnlyTheirIssuerCanRead(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	const proof = "a-secret-of-the-gateway-at-the-issuer"
	file := filepath.Join(s.dir, "introspection.secret")
	if err := os.WriteFile(file, []byte(proof+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.outside.Client("edge", proof, "nobody", 0)
	asked := fmt.Sprintf(", introspection: {client: edge, secret: \"${file:%s}\", cache: 1s}}", file)
	s.edit("e2e.yaml", "pem}\nupstreams", "pem"+asked+"\nupstreams")
	s.edit("e2e.yaml", "routes:\n", "routes:\n  - {name: e2e-mine, match: GET /mine, upstream: backend, allow: [{scopes: [\"search:read\"]}]}\n")
	s.startAuth()
	s.startGateway()
	status := func(target, bearer string) int { t.Helper(); return s.send("GET", target, bearer, "").status }
	opaque := func(over map[string]any) string {
		claims := map[string]any{"sub": "g-7", "client_id": "desk", "scope": "e2e", "aud": audience, "token_type": "Bearer"}
		for k, v := range over {
			claims[k] = v
		}
		return s.outside.Opaque(claims)
	}

	good := opaque(nil)
	for name, c := range map[string]struct {
		bearer string
		want   int
	}{
		"an opaque token passes":                     {good, 200},
		"a JWT of the same issuer passes, too":       {s.as("g-7", "e2e"), 200},
		"one without the scope does not":             {opaque(map[string]any{"scope": "other"}), 403},
		"one for another audience does not":          {opaque(map[string]any{"aud": "reservations"}), 401},
		"a refresh token does not":                   {opaque(map[string]any{"token_type": "refresh_token"}), 401},
		"one that is bound to a key does not":        {opaque(map[string]any{"cnf": map[string]any{"jkt": "x"}}), 401},
		"one that has ended does not":                {opaque(map[string]any{"iat": 1, "exp": 2}), 401},
		"one that the issuer does not know does not": {"opaque-made-up", 401},
		"one with a byte that no token has does not": {"opaque{made}up", 401},
		"a JWT with the signature cut off does not":  {strings.TrimRight(s.as("g-7", "e2e"), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"), 401},
	} {
		t.Run(name, func(t *testing.T) {
			if got := status("/e2e/echo", c.bearer); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
	t.Run("one that is revoked is refused within the bound", func(t *testing.T) {
		s.outside.Know(good, nil)
		until(t, "the revoked token is refused", 30*time.Second, func() bool { return status("/e2e/echo", good) == 401 })
	})
	t.Run("while the issuer is down nobody passes, and it is told so", func(t *testing.T) {
		s.outside.Down()
		defer s.outside.Up()
		a := s.send("GET", "/e2e/echo", opaque(nil), "")
		if a.status != 503 || a.code() != "issuer_unavailable" || a.header.Get("Retry-After") == "" {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
	t.Run("a storm of made-up tokens reaches the issuer in part alone", func(t *testing.T) {
		before := s.outside.Inquiries()
		for n := range 400 {
			if got := status("/e2e/echo", fmt.Sprint("opaque-storm-", n)); got != 401 && got != 503 {
				t.Fatalf("a made-up token got %d", got)
			}
		}
		t.Logf("of 400 tokens the issuer was asked about %d", s.outside.Inquiries()-before)
	})
	if log := s.eventLog() + s.gateway.said(); strings.Contains(log, good) || strings.Contains(log, "opaque-storm-1") || strings.Contains(log, proof) {
		t.Error("a token or the secret is in the log")
	}

	// Now the real token service, with its own endpoint, about every token.
	s.edit("e2e.yaml", asked, "}")
	s.edit("issuers.yaml", "revocations: {stale: 5m, then: deny}",
		fmt.Sprintf("introspection: {client: gateway, secret: \"${file:%s}\", tokens: all, cache: 1s}", filepath.Join(s.dir, "gateway.secret")))
	if out, code := s.reload(); code != 0 {
		t.Fatalf("reload: %d %s", code, out)
	}
	raw := s.commandToken("demo", "--audience", audience, "--scope", "search:read")
	t.Run("a token of the token service passes", func(t *testing.T) {
		if got := status("/mine", raw); got != 200 {
			t.Errorf("got %d", got)
		}
	})
	t.Run("what the token service does not know is refused, and no other issuer is asked any more", func(t *testing.T) {
		before := s.outside.Inquiries()
		if got := status("/mine", opaque(map[string]any{"scope": "search:read"})); got != 401 || s.outside.Inquiries() != before {
			t.Errorf("got %d, %d inquiries", got, s.outside.Inquiries()-before)
		}
	})
	t.Run("a token that is revoked is refused though nobody follows revocations", func(t *testing.T) {
		a := s.post("/revoke", form("token", raw), func(r *http.Request) { r.Header.Set("Authorization", basic("demo", s.secretOf("demo"))) })
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		until(t, "the revoked token is refused", 30*time.Second, func() bool { return status("/mine", raw) == 401 })
	})
	t.Run("while the token service is down nobody passes", func(t *testing.T) {
		next := s.commandToken("demo", "--audience", audience, "--scope", "search:read")
		s.auth.kill()
		if a := s.send("GET", "/mine", next, ""); a.status != 503 || a.code() != "issuer_unavailable" {
			t.Errorf("got %d %s", a.status, a.body)
		}
		s.startAuth()
		until(t, "the token passes when the token service is back", 30*time.Second, func() bool { return status("/mine", next) == 200 })
	})
}
