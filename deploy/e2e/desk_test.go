package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/token"
)

// desk is the token service with clients of every kind beside the shipped ones:
// what attacks on its endpoints need. All of them prove who they are with one
// key, but app, which is public and proves nothing.
type desk struct {
	*system
	key    *ecdsa.PrivateKey
	prover *token.ClientKey
}

// The hops hand a delegation on, each to the next, and hop2 also back to hop1.
const deskClients = `version: 1
clients:
  - name: robot
    grants: [client_credentials]
    keys: [KEY]
    audiences: [{name: gateway, scopes: [e2e, search:read]}, {name: hop1, scopes: [relay, other]}, {name: hop3, scopes: [relay], may_act: hop4}]
  - {name: fleeting, grants: [client_credentials], keys: [KEY], lifetime: 2s, audiences: [{name: gateway, scopes: [e2e]}]}
  - {name: web, grants: [authorization_code, refresh_token], keys: [KEY], redirects: ["https://app.hotel.test/callback"], audiences: [{name: gateway, scopes: [e2e, search:read]}]}
  - {name: rival, grants: [authorization_code, refresh_token], keys: [KEY], redirects: ["https://app.hotel.test/callback"], audiences: [{name: gateway, scopes: [e2e]}]}
  - {name: app, public: true, grants: [authorization_code, refresh_token], redirects: ["http://127.0.0.1/callback"], audiences: [{name: gateway, scopes: [e2e]}]}
  - {name: hop1, grants: [token_exchange], keys: [KEY], audiences: [{name: hop2, scopes: [relay]}]}
  - {name: hop2, grants: [token_exchange], keys: [KEY], audiences: [{name: hop3, scopes: [relay]}, {name: hop1, scopes: [relay]}]}
  - {name: hop3, grants: [token_exchange], keys: [KEY], audiences: [{name: hop4, scopes: [relay]}]}
  - {name: hop4, grants: [token_exchange], keys: [KEY], audiences: [{name: hop5, scopes: [relay]}]}
  - {name: hop5, grants: [token_exchange], keys: [KEY], audiences: [{name: gateway, scopes: [relay]}]}
`

// newDesk prepares one that is not started yet; people means with a mail sink,
// so that people can sign up.
func newDesk(t *testing.T, people bool) *desk {
	t.Helper()
	d := &desk{system: prepare(t)}
	var err error
	if d.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if d.prover, err = token.NewClientKey(d.key); err != nil {
		t.Fatal(err)
	}
	d.write("desk.yaml", strings.ReplaceAll(deskClients, "KEY", publicPEM(t, d.key)))
	if people {
		d.withMail()
	}
	return d
}

// publicPEM is a key's public half as a YAML string.
func publicPEM(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	text, err := encode(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// assertion proves to the token service that whoever sends it is client.
func (d *desk) assertion(client string) string {
	d.t.Helper()
	raw, err := d.prover.Assertion(client, d.authURL, time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	return raw
}

// by is a form of a client that proves itself, with more parameters in pairs.
func (d *desk) by(client string, pairs ...string) url.Values {
	d.t.Helper()
	f := form(pairs...)
	if client == "app" {
		f.Set("client_id", client)
		return f
	}
	f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	f.Set("client_assertion", d.assertion(client))
	return f
}

// form is one with parameters in pairs; a name may come twice.
func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

// post sends a form to a path of the token service.
func (s *system) post(path string, f url.Values, change ...func(*http.Request)) answer {
	s.t.Helper()
	a, err := s.tryPost(s.client, s.authURL+path, f.Encode(), change...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// tryPost is post for whoever expects that it may fail, or that chooses the
// spelling of the body.
func (s *system) tryPost(client *http.Client, target, body string, change ...func(*http.Request)) (answer, error) {
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range change {
		c(req)
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data)}, err
}

// granted is an answer of the token endpoint, as a client reads it.
type granted struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Scope   string `json:"scope"`
	Error   string `json:"error"`
}

func (a answer) granted() granted {
	var g granted
	_ = json.Unmarshal([]byte(a.body), &g) // what cannot be read grants nothing
	return g
}

// must is the token of an answer that must hold one.
func (s *system) must(a answer) granted {
	s.t.Helper()
	g := a.granted()
	if a.status != http.StatusOK || g.Access == "" {
		s.t.Fatalf("no token: %d %s", a.status, a.body)
	}
	return g
}

// credentials gets a token for a client itself.
func (d *desk) credentials(client, audience string) string {
	d.t.Helper()
	return d.must(d.post("/token", d.by(client, "grant_type", "client_credentials", "audience", audience))).Access
}

// exchange asks for a token of audience on behalf of who is in the token subject.
func (d *desk) exchange(client, subject, audience string, pairs ...string) answer {
	d.t.Helper()
	return d.post("/token", d.by(client, append(pairs, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange",
		"subject_token", subject, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "audience", audience)...))
}

// claims are those of a token, not verified.
func claims(t *testing.T, raw string) map[string]any {
	t.Helper()
	var c map[string]any
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", raw)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// operate runs a command of authserver on the system's data folder.
func (s *system) operate(args ...string) (out string, code int) {
	s.t.Helper()
	return s.command(append(args, "--data", s.data())...)
}

// command runs a command of authserver.
func (s *system) command(args ...string) (out string, code int) {
	s.t.Helper()
	return s.program("authserver", args...)
}

func (s *system) program(name string, args ...string) (out string, code int) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Env = append(os.Environ(), s.env...)
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}
