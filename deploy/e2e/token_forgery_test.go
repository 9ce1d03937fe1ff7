package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// forger makes tokens out of a good one. The outside issuer signs whatever it is
// told to: what matters is then what a verifier makes of it, not the signature.
type forger struct {
	*system
	secret string
	plain  *http.Client // HTTP/1.1, which sends a header field of any size
}

func newForger(s *system) *forger {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "gateway.secret"))
	if err != nil {
		s.t.Fatal(err)
	}
	return &forger{s, strings.TrimSpace(string(text)), s.http1()}
}

// good are the claims of a token that passes everywhere.
func (f *forger) good(over map[string]any) map[string]any {
	now := time.Now()
	c := map[string]any{
		"iss": f.outside.URL, "sub": "g-7", "aud": audience, "client_id": "suite", "scope": "e2e search:read", "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	maps.Copy(c, over)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// header is that of a good token, with over in it.
func (f *forger) header(over map[string]any) map[string]any {
	h := map[string]any{"alg": "ES256", "kid": f.outside.Key().KeyID, "typ": "at+jwt"}
	maps.Copy(h, over)
	return h
}

// signed has a true signature, whatever header and payload say.
func (f *forger) signed(header, claims map[string]any) string {
	return f.outside.MintRaw(header, f.good(claims))
}

// unsigned is a token with a signature of the attacker's making.
func (f *forger) unsigned(header map[string]any, sign func(input string) []byte) string {
	part := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			f.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	input := part(f.header(header)) + "." + part(f.good(nil))
	return input + "." + base64.RawURLEncoding.EncodeToString(sign(input))
}

// bearer shows a token to the gateway, subject shows it to the token service as
// what is to be exchanged.
func (f *forger) bearer(raw string) answer {
	f.t.Helper()
	a, err := f.try(f.plain, "GET", "/e2e/echo", raw, "")
	if err != nil && len(raw) < 64<<10 { // the gateway may hang up on a header that does not end
		f.t.Fatal(err)
	}
	return a
}

func (f *forger) subject(raw string) answer {
	f.t.Helper()
	a, err := f.trySubject(raw)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

func (f *forger) trySubject(raw string) (answer, error) {
	return f.tryPost(f.client, f.authURL+"/token", form("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "audience", "search",
		"subject_token", raw, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token").Encode(),
		func(r *http.Request) { r.SetBasicAuth("gateway", f.secret) })
}

// refused expects that both verifiers refuse a token.
func (f *forger) refused(t *testing.T, raw string) {
	t.Helper()
	if !strings.ContainsAny(raw, "\r\n\x00") { // no header field can carry these
		switch a := f.bearer(raw); a.status {
		case http.StatusUnauthorized, http.StatusBadRequest:
		case http.StatusRequestHeaderFieldsTooLarge, 0:
			if len(raw) < 8<<10 {
				t.Errorf("a token of %d bytes is too large for the gateway", len(raw))
			}
		default:
			t.Errorf("the gateway answers %d %s", a.status, a.body)
		}
	}
	switch a := f.subject(raw); a.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		if e := a.granted().Error; e != "invalid_request" {
			t.Errorf("the token service answers %q", e)
		}
	default:
		t.Errorf("the token service answers %d %s", a.status, a.body)
	}
}

// accepted expects the opposite; without it a refusal would prove nothing.
func (f *forger) accepted(t *testing.T, raw string) {
	t.Helper()
	if a := f.bearer(raw); a.status != http.StatusOK {
		t.Errorf("the gateway answers %d %s", a.status, a.body)
	}
	if a := f.subject(raw); a.status != http.StatusOK {
		t.Errorf("the token service answers %d %s", a.status, a.body)
	}
}

// TestNoForgedTokenIsAccepted shows forgeries to the gateway, as a bearer token,
// and to the token service, as the subject of an exchange.
func TestNoForgedTokenIsAccepted(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.startAuth()
	s.startGateway()
	f := newForger(s)
	f.accepted(t, f.signed(nil, nil))

	fetches := s.outside.Fetches()
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "", "HS256"} {
		t.Run("a token without a signature is refused, alg "+alg, func(t *testing.T) {
			f.refused(t, f.unsigned(map[string]any{"alg": alg}, func(string) []byte { return nil }))
			f.refused(t, f.unsigned(map[string]any{"alg": alg}, func(string) []byte { return []byte("any") }))
		})
	}
	f.confusions(t)
	f.spellings(t)
	f.kinds(t)
	if n := s.outside.Fetches(); n != fetches {
		t.Errorf("%d fetches of keys for tokens that no key could have saved", n-fetches)
	}
	f.keyNames(t)
	f.pointers(t)
	f.sizes(t)
	f.duplicates(t)
	f.accepted(t, f.signed(nil, nil)) // and nothing of it broke the verifiers
	if s.gateway.said() != "" && strings.Contains(s.gateway.said(), "\npanic") {
		t.Error("the gateway panicked")
	}
	s.events() // each line is JSON: no key id forged one
}

// confusions use the public key, which everybody has, as the secret of an HMAC.
func (f *forger) confusions(t *testing.T) {
	key := f.outside.Key()
	der, err := x509.MarshalPKIXPublicKey(key.Key)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := key.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{
		"the PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "the DER": der, "the JWK": jwk, "nothing": {},
	} {
		for _, alg := range []string{"HS256", "ES256", "RS256", "ES384"} {
			t.Run(fmt.Sprintf("%s of the public key is no secret of %s", name, alg), func(t *testing.T) {
				f.refused(t, f.unsigned(map[string]any{"alg": alg}, func(input string) []byte {
					mac := hmac.New(sha256.New, secret)
					mac.Write([]byte(input))
					return mac.Sum(nil)
				}))
			})
		}
	}
}

// keyNames look for a place where a kid is more than the key of a map.
func (f *forger) keyNames(t *testing.T) {
	real := f.outside.Key().KeyID
	for name, kid := range map[string]any{
		"a path": "../../../../dev/null", "SQL": "' OR '1'='1' --", "a NUL": real + "\x00", "64 kB": strings.Repeat("k", 64<<10), "a look-alike": strings.Replace(real, real[:1], "ａ", 1),
		"a line of a log": "x\"}\n{\"level\":\"forged\"}", "an empty one": "", "a number": 7, "a list": []string{real}, "spaces around it": " " + real + " ",
	} {
		t.Run("a kid that is "+name+" finds no key", func(t *testing.T) { f.refused(t, f.signed(map[string]any{"kid": kid}, nil)) })
	}
}

// pointers name a key of the attacker's, and where to get it.
func (f *forger) pointers(t *testing.T) {
	canary, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer canary.Close()
	var visits atomic.Int64
	go func() {
		for {
			c, err := canary.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			_ = c.Close()
		}
	}()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, own, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	at := "http://" + canary.Addr().String()
	mine := jose.JSONWebKey{Key: own.Public(), KeyID: "mine", Algorithm: "ES256", Use: "sig"}
	for name, header := range map[string]map[string]any{
		"jku": {"jku": at + "/jwks", "kid": "mine"}, "x5u": {"x5u": at + "/chain.pem", "kid": "mine"}, "jwk": {"jwk": mine, "kid": "mine"}, "jwk without kid": {"jwk": mine, "kid": f.outside.Key().KeyID},
		"x5c": {"x5c": []string{base64.StdEncoding.EncodeToString(make([]byte, 512))}}, "all of them": {"jku": at, "x5u": at, "jwk": mine, "kid": "mine"},
	} {
		t.Run("a token brings its own key in vain: "+name, func(t *testing.T) { f.refused(t, f.unsigned(header, sign)) })
	}
	f.accepted(t, f.signed(map[string]any{"jku": at, "x5u": at}, nil)) // a true signature: the fields mean nothing
	if n := visits.Load(); n != 0 {
		t.Errorf("the canary was visited %d times", n)
	}
}
