package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// twin is a second process of the token service on the same database: what is
// good once is good once for both.
func (s *system) twin() (base string) {
	s.t.Helper()
	base, ops := "https://"+free(s.t), "http://"+free(s.t)
	args := append([]string{}, s.authArgs...)
	for i, arg := range args {
		switch arg {
		case "--addr":
			args[i+1] = host(base)
		case "--ops":
			args[i+1] = host(ops)
		}
	}
	p := launch(s.t, s.dir, "twin", s.env, args...)
	s.ready(p, ops)
	return base
}

// sign makes an assertion of any content with the client's key or another.
func (d *desk) sign(key *ecdsa.PrivateKey, header, over map[string]any) string {
	d.t.Helper()
	options := &jose.SignerOptions{}
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		d.t.Fatal(err)
	}
	now := time.Now()
	claims := map[string]any{"iss": "robot", "sub": "robot", "aud": d.authURL, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	maps.Copy(claims, over)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		d.t.Fatal(err)
	}
	return raw
}

// asserting is a request by an assertion.
func asserting(raw string) url.Values {
	return form("grant_type", "client_credentials", "audience", audience, "client_assertion_type", assertionType, "client_assertion", raw)
}

func TestAnAssertionProvesOneClientToUsOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, false)
	d.startAuth()
	twin := d.twin()
	t.Run("an assertion sent a hundred times at once to two processes is good once", func(t *testing.T) {
		for range 3 {
			raw := asserting(d.assertion("robot")).Encode()
			var good atomic.Int64
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					a, err := d.tryPost(d.client, []string{d.authURL, twin}[i%2]+"/token", raw)
					switch {
					case err != nil:
						t.Error(err)
					case a.status == http.StatusOK:
						good.Add(1)
					case a.status != http.StatusUnauthorized:
						t.Errorf("%d %s", a.status, a.body)
					}
				})
			}
			all.Wait()
			if good.Load() != 1 {
				t.Errorf("the assertion was good %d times", good.Load())
			}
		}
	})
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	access := d.credentials("robot", audience)
	for name, raw := range map[string]string{
		"for the token endpoint":           d.sign(d.key, nil, map[string]any{"aud": d.authURL + "/token"}),
		"for us in a list":                 d.sign(d.key, nil, map[string]any{"aud": []string{d.authURL}}),
		"for us and another":               d.sign(d.key, nil, map[string]any{"aud": []string{d.authURL, "https://as.evil.test"}}),
		"for another token service":        d.sign(d.key, nil, map[string]any{"aud": "https://as.evil.test"}),
		"for us with a slash":              d.sign(d.key, nil, map[string]any{"aud": d.authURL + "/"}),
		"for the other process's address":  d.sign(d.key, nil, map[string]any{"aud": twin}),
		"for nobody":                       d.sign(d.key, nil, map[string]any{"aud": nil}),
		"good for more than five minutes":  d.sign(d.key, nil, map[string]any{"exp": now.Add(6 * time.Minute).Unix()}),
		"good for ever":                    d.sign(d.key, nil, map[string]any{"exp": nil}),
		"expired":                          d.sign(d.key, nil, map[string]any{"exp": now.Add(-time.Minute).Unix(), "iat": now.Add(-2 * time.Minute).Unix()}),
		"from the future":                  d.sign(d.key, nil, map[string]any{"nbf": now.Add(2 * time.Minute).Unix()}),
		"without an id":                    d.sign(d.key, nil, map[string]any{"jti": nil}),
		"by another for it":                d.sign(d.key, nil, map[string]any{"iss": "web"}),
		"for another by it":                d.sign(d.key, nil, map[string]any{"sub": "web"}),
		"by nobody known":                  d.sign(d.key, nil, map[string]any{"iss": "nobody", "sub": "nobody"}),
		"signed by a stranger":             d.sign(stranger, nil, nil),
		"signed by a stranger who says so": d.sign(stranger, map[string]any{"jwk": jose.JSONWebKey{Key: stranger.Public()}}, nil),
		"that says it is an access token":  d.sign(d.key, map[string]any{"typ": "at+jwt"}, nil),
		"that says it is a DPoP proof":     d.sign(d.key, map[string]any{"typ": "dpop+jwt"}, nil),
		"that has no key of a client":      d.sign(d.key, nil, map[string]any{"iss": "demo", "sub": "demo"}),
		"that is an access token":          access,
		"that is nothing":                  "a.b.c",
	} {
		t.Run("an assertion is refused "+name, func(t *testing.T) {
			a := d.post("/token", asserting(raw))
			if a.status != http.StatusUnauthorized || a.granted().Error != "invalid_client" {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	t.Run("what was refused for its content was not the key's fault", func(t *testing.T) { d.credentials("robot", audience) })
	t.Run("an assertion is no access token", func(t *testing.T) {
		a := d.post("/introspect", d.by("robot", "token", d.assertion("robot")))
		if a.status != http.StatusOK || a.body != `{"active":false}` {
			t.Errorf("got %d %s", a.status, a.body)
		}
		gateway := newForger(d.system)
		if a := gateway.subject(d.assertion("robot")); a.granted().Error != "invalid_request" {
			t.Errorf("as the subject of an exchange: %d %s", a.status, a.body)
		}
	})
	t.Run("a secret does not prove a client that has a key", func(t *testing.T) {
		for _, secret := range []string{"x", "pcs_robot_" + rand.Text()} {
			if a := d.post("/token", form("grant_type", "client_credentials", "client_id", "robot", "client_secret", secret)); a.status != http.StatusUnauthorized {
				t.Errorf("got %d %s", a.status, a.body)
			}
		}
		if a := d.post("/token", form("grant_type", "client_credentials", "client_id", "robot")); a.status != http.StatusUnauthorized {
			t.Errorf("its name alone: %d %s", a.status, a.body)
		}
	})
}
