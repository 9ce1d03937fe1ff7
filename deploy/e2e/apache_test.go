package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// apacheConfig is an Apache that lets in whoever brings a token of one issuer
// for one audience. The module is told where the keys are; that the issuer and
// the audience are the right ones is a matter of authorization to it. The page
// behind is Apache's own status page; a field of the answer says who asked.
const apacheConfig = `
ServerRoot "%[1]s"
PidFile "%[1]s/apache.pid"
ErrorLog "%[1]s/error.log"
LogLevel info
ServerName localhost
Listen %[2]s
User www-data
Group www-data
LoadModule mpm_event_module   /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module  /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_core_module  /usr/lib/apache2/modules/mod_authz_core.so
LoadModule headers_module     /usr/lib/apache2/modules/mod_headers.so
LoadModule status_module      /usr/lib/apache2/modules/mod_status.so
LoadModule oauth2_module      /usr/lib/apache2/modules/mod_oauth2.so
<Location "/">
  SetHandler server-status
  AuthType oauth2
  OAuth2TokenVerify jwks_uri %[3]s verify.exp=required&verify.iat=required
  <RequireAll>
    Require oauth2_claim iss:%[4]s
    Require oauth2_claim aud:%[5]s
  </RequireAll>
  Header always set X-Subject "expr=%%{reqenv:OAUTH2_CLAIM_sub}"
</Location>
`

// apacheSlack is for how long after its end Apache takes a token, and a second.
const apacheSlack = 11 * time.Second

// apache is Debian's Apache with mod_oauth2: a verifier of access tokens that
// has not a line in common with ours, nor a language.
type apache struct {
	t   *testing.T
	url string
}

// startApache starts one that takes the tokens of an issuer for an audience. It
// reads the keys through keys, for instance from the issuer's own jwks_uri: the
// module cannot be told whom to trust besides the system's authorities, so that
// leg is in the clear here, on loopback.
func startApache(t *testing.T, keys func() ([]byte, error), issuer, audience string) *apache {
	t.Helper()
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		set, err := keys()
		if err != nil {
			t.Errorf("the keys for Apache: %v", err)
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_, _ = w.Write(set)
	}))
	t.Cleanup(relay.Close)
	dir := t.TempDir()
	a := &apache{t: t, url: "http://" + strings.Replace(free(t), "localhost", "127.0.0.1", 1)}
	config := filepath.Join(dir, "apache.conf")
	text := fmt.Sprintf(apacheConfig, dir, host(a.url), relay.URL, issuer, audience)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, name: "apache2", done: make(chan struct{})}
	p.start(nil, nil, "/usr/sbin/apache2", "-X", "-f", config)
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // so that it gives its shared memory back
		select {
		case <-p.done:
		case <-time.After(patience):
		}
		if log, err := os.ReadFile(filepath.Join(dir, "error.log")); err == nil && t.Failed() {
			t.Logf("--- apache2 said:\n%s", log)
		}
	})
	until(t, "Apache answers", 30*time.Second, func() bool {
		select {
		case <-p.done:
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("apache2 ended: %v\n%s\n%s", p.err, p.tail(), log)
		default:
		}
		_, err := get(a.url)
		return err == nil
	})
	return a
}

// ask sends a bearer token, none if empty, and gives the status and whom Apache
// takes the caller for.
func (a *apache) ask(bearer string) (status int, subject string) {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodGet, a.url+"/", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header.Get("X-Subject")
}

// tampered are a token's forgeries: each part changed in one bit, the signature
// left away, and the signature made with the public key as if it were a secret.
func tampered(t *testing.T, token string, keys []byte) map[string]string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", token)
	}
	all := map[string]string{}
	for i, name := range []string{"header", "claims", "signature"} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		forged := append([]string{}, parts...)
		forged[i] = base64.RawURLEncoding.EncodeToString(raw)
		all["a bit of the "+name] = strings.Join(forged, ".")
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	all["no signature"] = none + "." + parts[1] + "."
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	all["the public key as a secret"] = sign(t, jose.SigningKey{Algorithm: jose.HS256, Key: keys}, claims)
	return all
}

// sign signs claims as an access token.
func sign(t *testing.T, key jose.SigningKey, claims []byte) string {
	t.Helper()
	return signAs(t, key, "at+jwt", claims)
}

// signAs signs claims as a token of a type.
func signAs(t *testing.T, key jose.SigningKey, kind jose.ContentType, claims []byte) string {
	t.Helper()
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType(kind))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// The tool itself: Apache tells good tokens from bad ones, whoever made them.
func TestApacheTellsTokensApart(t *testing.T) {
	t.Parallel()
	const issuer = "https://issuer.hotel.test"
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), KeyID: "k-1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: "k-1"}}
	token := func(change map[string]any) string {
		claims := map[string]any{
			"iss": issuer, "sub": "g-7", "aud": "reservations", "client_id": "demo", "jti": "j-1", "scope": "reservations:read",
			"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		}
		for name, value := range change {
			claims[name] = value
		}
		raw, err := encode(claims)
		if err != nil {
			t.Fatal(err)
		}
		return sign(t, key, raw)
	}
	a := startApache(t, func() ([]byte, error) { return set, nil }, issuer, "reservations")
	if status, subject := a.ask(token(nil)); status != http.StatusOK || subject != "g-7" {
		t.Errorf("a good token: %d, subject %q", status, subject)
	}
	bad := tampered(t, token(nil), set)
	bad["no token"] = ""
	bad["an expired token"] = token(map[string]any{"iat": now.Add(-time.Hour).Unix(), "exp": now.Add(-30 * time.Minute).Unix()})
	bad["a token that never expires"] = token(map[string]any{"exp": nil})
	bad["a token of another issuer"] = token(map[string]any{"iss": issuer + ".evil.test"})
	bad["a token for another audience"] = token(map[string]any{"aud": "payments"})
	for name, token := range bad {
		if status, subject := a.ask(token); status != http.StatusUnauthorized {
			t.Errorf("%s: %d, subject %q; want 401", name, status, subject)
		}
	}
}

// apache tries our tokens on a verifier that others wrote, in C: it takes them,
// and nothing that was made of them, was meant for somebody else, or is old.
func (s *system) apache(t *testing.T, persons string) {
	keys := func() ([]byte, error) {
		res, err := s.client.Get(s.authURL + "/jwks")
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		return io.ReadAll(res.Body)
	}
	a := startApache(t, keys, s.authURL, audience)
	const briefly = time.Second // as the client's policy has it
	brief, made := s.commandToken("brief"), time.Now()
	token := s.commandToken("demo")
	if status, subject := a.ask(token); status != http.StatusOK || subject != "demo" {
		t.Errorf("our token: %d, subject %q", status, subject)
	}
	if status, subject := a.ask(persons); status != http.StatusOK || !strings.HasPrefix(subject, "u-") {
		t.Errorf("a person's token: %d, subject %q", status, subject)
	}
	set, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	bad := tampered(t, token, set)
	bad["no token"] = ""
	bad["a token of another issuer"] = s.as("g-7", "e2e")
	bad["a token for another audience"] = s.commandToken("reservations", "--audience", "search")
	for name, bearer := range bad {
		if status, subject := a.ask(bearer); status != http.StatusUnauthorized {
			t.Errorf("%s: %d, subject %q; want 401", name, status, subject)
		}
	}
	// It is shown late: what Apache takes in the seconds that it allows for clocks
	// that differ, it takes for minutes more.
	until(t, "a token has expired", 0, func() bool { return time.Since(made) > briefly+apacheSlack })
	if status, _ := a.ask(brief); status != http.StatusUnauthorized {
		t.Errorf("a token that has expired: %d", status)
	}
}
