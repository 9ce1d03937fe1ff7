package compile

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
)

const (
	bySecret = `audience: https://api.hotel.test, introspection: {client: edge, secret: "${file:/proof}", cache: 1m}}`
	byKey    = `audience: https://api.hotel.test, introspection: {client: edge, key: /key.pem, cache: 1m}}`
)

// inquiring is a fixture whose issuer may be asked with proof, which its file
// holds.
func inquiring(t *testing.T) (f *fixture, proof *string) {
	right := "right"
	f, proof = newFixture(t, fine), &right
	f.issuer.Client("edge", "right", "nobody", 0)
	f.compiler.config.Secret = func(string) (string, error) {
		if *proof == "" {
			return "", errors.New("no such file")
		}
		return *proof, nil
	}
	return f, proof
}

func (f *fixture) opaque() string {
	return f.issuer.Opaque(map[string]any{"sub": "g-7", "client_id": "web", "scope": "read"})
}

func TestARouteAsksItsIssuerAboutOpaqueTokens(t *testing.T) {
	t.Parallel()
	f, proof := inquiring(t)
	raw := f.opaque()
	without := f.lean(nil)
	if got := f.decide(without, "/hotels/h-7", raw); got != "invalid_token" || f.issuer.Inquiries() != 0 {
		t.Errorf("an issuer without introspection: %s after %d inquiries", got, f.issuer.Inquiries())
	}
	s := f.lean(without, unfollowed, bySecret)
	for name, bearer := range map[string]string{"opaque": raw, "JWT": f.mint()} {
		if got := f.decide(s, "/hotels/h-7", bearer); got != "allow" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := f.decide(s, "/hotels/h-7", "made-up"); got != "invalid_token" {
		t.Errorf("a made-up token: %s", got)
	}

	// An edit elsewhere keeps what is known; another proof makes an issuer anew.
	f.issuer.Know(raw, nil)
	s = f.lean(s, unfollowed, bySecret, "rate: 1000000/1s}\n  - {name: few", "rate: 999999/1s}\n  - {name: few")
	if got := f.decide(s, "/hotels/h-7", raw); got != "allow" {
		t.Errorf("a reload forgets what it knew: %s", got)
	}
	before := s.Secrets
	*proof = "wrong"
	s = f.lean(s, unfollowed, bySecret)
	if got := f.decide(s, "/hotels/h-7", raw); got != "issuer_unavailable" || s.Secrets == before {
		t.Errorf("with a proof that the issuer does not take: %s", got)
	}
	if s = f.lean(s); f.decide(s, "/hotels/h-7", raw) != "invalid_token" {
		t.Error("without introspection an opaque token is believed")
	}
}

func TestWhatProvesTheGatewayMustBeThere(t *testing.T) {
	t.Parallel()
	f, proof := inquiring(t)
	*proof = ""
	for of, because := range map[string]string{bySecret: "no such file", byKey: "no key can be read here"} {
		_, err := f.compiler.Compile(f.document(written(t, unfollowed, of, loaded, unloaded)), nil)
		if err == nil || !strings.Contains(err.Error(), because) || !strings.Contains(err.Error(), CodeSecret) {
			t.Errorf("%s: %v", of, err)
		}
	}
	signer, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.compiler.config.ClientKey = func(string) (*token.ClientKey, error) { return token.NewClientKey(signer) }
	first := f.lean(nil, unfollowed, byKey)
	again := f.lean(first, unfollowed, byKey)
	if stateOf(first).issuers["hotel"].Issuer != stateOf(again).issuers["hotel"].Issuer {
		t.Error("the same key makes another issuer")
	}
	signer, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if other := f.lean(first, unfollowed, byKey); other.Secrets == first.Secrets || stateOf(first).issuers["hotel"].Issuer == stateOf(other).issuers["hotel"].Issuer {
		t.Error("another key under the same name is not noticed")
	}
}

// Tests and explanations make their own tokens: nobody is asked, and nothing of
// the gateway's machine is read.
func TestATrialAsksNobodyAboutTokens(t *testing.T) {
	t.Parallel()
	f, proof := inquiring(t)
	*proof = ""
	f.compiler.config.Keys = func(string) func(context.Context) ([]byte, error) {
		return func(context.Context) ([]byte, error) { return nil, errors.New("none") }
	}
	s, err := f.compiler.Compile(f.document(written(t, unfollowed, strings.Replace(bySecret, "cache: 1m", "tokens: all", 1), loaded, unloaded)), (*pipeline.Snapshot)(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.decide(s, "/hotels/h-7", f.opaque()); got != "invalid_token" || f.issuer.Inquiries() != 0 {
		t.Errorf("%s after %d inquiries", got, f.issuer.Inquiries())
	}
}
