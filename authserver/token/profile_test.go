package token_test

import (
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
)

func TestTokensOfIssuersWithoutAccessTokenType(t *testing.T) {
	issuer := tokentest.New(t)
	cfg := issuer.Config()
	cfg.Profile, cfg.ClientClaim, cfg.ScopeClaim = token.JWT, "azp", "scp"
	cfg.Require = map[string]string{"typ": "Bearer"}
	verifier := verifierOf(t, cfg)
	access := func(changes claims) []byte {
		c := claims{"azp": "web", "scp": []string{"b", "a"}, "typ": "Bearer", "client_id": nil, "jti": nil, "scope": nil}
		for k, v := range changes {
			c[k] = v
		}
		return part(issuer.Mint(c), 1)
	}
	for _, c := range []struct {
		name   string
		header claims
		claims []byte
		good   bool
	}{
		{"an access token of type JWT", claims{"typ": "JWT"}, access(nil), true},
		{"an access token without type", claims{"typ": nil}, access(nil), true},
		{"an at+jwt", nil, access(nil), true},
		{"scopes in one string", claims{"typ": "JWT"}, access(claims{"scp": "a b"}), true},
		{"an ID token", claims{"typ": "JWT"}, access(claims{"typ": "ID"}), false},
		{"a token that does not say what it is", claims{"typ": "JWT"}, access(claims{"typ": nil}), false},
		{"a token whose required claim is a list", claims{"typ": "JWT"}, access(claims{"typ": []string{"Bearer"}}), false},
		{"a logout token", claims{"typ": "logout+jwt"}, access(nil), false},
		{"a token without the client claim", claims{"typ": "JWT"}, access(claims{"azp": nil}), false},
		{"a token without sub", claims{"typ": "JWT"}, access(claims{"sub": nil}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := verifier.Verify(t.Context(), issuer.MintRaw(c.header, c.claims), time.Now())
			if (err == nil) != c.good {
				t.Fatal(err)
			}
			if c.good && (p.Client != "web" || !p.Has("a") || !p.Has("b")) {
				t.Errorf("the principal is %+v", p)
			}
		})
	}
}
