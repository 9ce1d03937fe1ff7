package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/token/tokentest"
)

// TestTokensOfACommonIdentityProvider: an issuer that does not speak RFC 9068 is
// taken with profile jwt, by the claims it does send; its ID tokens are not.
func TestTokensOfACommonIdentityProvider(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	provider := tokentest.New(t)
	ca := filepath.Join(s.dir, "provider.pem")
	if err := os.WriteFile(ca, certificate(t, provider.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	s.write("provider.yaml", strings.NewReplacer("URL", provider.URL, "CERT", ca).Replace(`version: 1
issuers:
  - name: provider
    url: URL
    audience: gateway
    profile: jwt
    ca: CERT
    require: {typ: Bearer}
routes:
  - {name: e2e-provider, match: GET /provider, upstream: backend, authenticate: [provider], allow: [{scopes: [e2e]}]}
`))
	s.startAuth()
	s.startGateway()
	now := time.Now()
	mint := func(over map[string]any) string {
		// What Keycloak puts into an access token: typ JWT in the header, azp for
		// the client, no client_id.
		claims := map[string]any{
			"iss": provider.URL, "sub": "f:1:g-7", "aud": []string{"account", "gateway"}, "azp": "web", "scope": "openid e2e", "typ": "Bearer",
			"jti": "k-1", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		}
		for k, v := range over {
			claims[k] = v
		}
		return provider.MintRaw(map[string]any{"typ": "JWT"}, claims)
	}
	for name, c := range map[string]struct {
		target, bearer string
		want           int
	}{
		"an access token passes":                           {"/provider", mint(nil), 200},
		"an ID token does not":                             {"/provider", mint(map[string]any{"typ": "ID", "aud": "gateway"}), 401},
		"one for another audience does not":                {"/provider", mint(map[string]any{"aud": "account"}), 401},
		"one without the scope does not":                   {"/provider", mint(map[string]any{"scope": "openid"}), 403},
		"a route that does not name the issuer takes none": {"/e2e/echo", mint(nil), 401},
		"the profile of one issuer is not that of another": {"/provider", s.outside.MintRaw(map[string]any{"typ": "JWT"}, map[string]any{
			"iss": s.outside.URL, "sub": "g-7", "aud": audience, "client_id": "web", "scope": "e2e", "typ": "Bearer", "jti": "k-2", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		}), 401},
	} {
		t.Run(name, func(t *testing.T) {
			if a := s.send("GET", c.target, c.bearer, ""); a.status != c.want {
				t.Errorf("got %d, want %d: %s", a.status, c.want, a.body)
			}
		})
	}
}
