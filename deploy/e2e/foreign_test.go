package e2e

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// foreignTime bounds one run of a script, a person's sign-in included.
const foreignTime = 5 * time.Minute

// foreign is the folder of the foreign clients, with what they are made of
// installed: once in a run, in a copy, so that the tree stays as it is.
var foreign = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(bin, "foreign")
	if err := os.CopyFS(dir, os.DirFS("foreign")); err != nil {
		return "", err
	}
	npm := exec.Command("npm", "ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return dir, nil
})

// findings is what a script says at its end: a value for each step it was asked
// to do, or why one failed.
type findings struct {
	OK                 bool
	Error, Code, Cause string
	Steps              map[string]map[string]any
	Authorize          string // the page a person has to open first
}

// foreignClient runs a script of the foreign folder with its steps and expects
// it to succeed. person is told the page that somebody has to sign in at; nil
// where no step needs a person.
func foreignClient(t *testing.T, script string, env []string, person func(url string), steps ...string) map[string]map[string]any {
	t.Helper()
	dir, err := foreign()
	if err != nil {
		t.Fatal(err)
	}
	interpreter := "node"
	if strings.HasSuffix(script, ".py") {
		interpreter = "/usr/bin/python3" // which has Debian's packages, whatever else is in PATH
	}
	cmd := exec.CommandContext(t.Context(), interpreter, append([]string{script}, steps...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(foreignTime, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	var last findings
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		last = findings{}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			t.Errorf("%s said %q, which is no JSON: %v", script, lines.Text(), err)
		}
		switch {
		case last.Authorize == "":
		case person == nil:
			t.Errorf("%s asks for a person", script)
			_ = cmd.Process.Kill()
		default:
			person(last.Authorize)
		}
	}
	err = cmd.Wait()
	if err != nil || !last.OK {
		t.Fatalf("%s %s: %v: %s %s %s\n%s", script, strings.Join(steps, " "), err, last.Error, last.Code, last.Cause, stderr.String())
	}
	return last.Steps
}

// foreignEnv is the environment of a script that is client id at the system's
// token service.
func (s *system) foreignEnv(id, audience string) []string {
	s.t.Helper()
	return []string{
		"ISSUER=" + s.authURL, "NODE_EXTRA_CA_CERTS=" + s.authority.CA(), "REQUESTS_CA_BUNDLE=" + s.authority.CA(),
		"CLIENT_ID=" + id, "CLIENT_SECRET=" + s.secretText(id), "AUDIENCE=" + audience,
	}
}

// TestForeignClients: what the standards say, others have written down in code.
// Each of these clients checks what it is given by its own rules.
func TestForeignClients(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	keyFile := s.addClients("https://app.hotel.test")
	s.withMail()
	s.startAuth()
	p := &person{browser: newBrowser(t, s.authority.CA(), true), s: s, email: "alan@guest.test", password: "four words and a comma"}
	p.visit("/signup")
	p.join()
	p.says("Your account", p.email)
	shared := append(s.foreignEnv("partner", audience),
		"KEY_CLIENT_ID=keyed", "KEY_FILE="+keyFile, "SCOPE=openid email search:read", "WEB_AUDIENCE="+audience, "EXCHANGE_AUDIENCE=search")
	web := slices.Concat(shared, []string{"WEB_CLIENT_ID=web", "WEB_CLIENT_SECRET=" + s.secretText("web")})
	native := slices.Concat(shared, []string{"WEB_CLIENT_ID=native"})

	var persons string // an access token of the person's
	for _, c := range []struct {
		name, script string
		env          []string
		steps        []string
	}{
		{"openid-client as a site", "openid-client.mjs", web, []string{
			"discovery", "basic", "post", "resource", "jwt", "wrong_secret", "unknown_audience", "code", "signin", "exchange", "introspect", "revoke", "refresh",
		}},
		{"openid-client as a native app", "openid-client.mjs", native, []string{"code", "signin", "refresh"}},
		{"authlib as a site", "authlib_client.py", web, []string{"discovery", "basic", "post", "jwt", "wrong_secret", "introspect", "revoke", "code", "refresh"}},
		{"authlib as a native app", "authlib_client.py", native, []string{"code", "refresh"}},
		{"oauth4webapi", "oauth4webapi.mjs", shared, []string{"basic", "post", "jwt", "accepts", "rejects_another_audience", "rejects_tampered"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := p.in(t)
			redirect := "REDIRECT_URI=http://" + strings.Replace(free(t), "localhost", "127.0.0.1", 1) + "/callback"
			found := foreignClient(t, c.script, append(c.env, redirect), p.open, c.steps...)
			for _, step := range c.steps {
				switch step {
				case "basic", "post", "jwt", "code", "signin", "refresh", "exchange":
					if raw := str(found[step]["access_token"]); strings.Count(raw, ".") != 2 {
						t.Errorf("%s gave the token %q", step, raw)
					}
				}
			}
			if c.script == "authlib_client.py" {
				persons = str(found["refresh"]["access_token"])
			}
		})
	}
	t.Run("oauth4webapi judges a person's token", func(t *testing.T) {
		found := foreignClient(t, "oauth4webapi.mjs", append(shared, "ACCESS_TOKEN="+persons), nil, "accepts", "rejects_another_audience", "rejects_tampered")
		if sub := str(found["accepts"]["sub"]); !strings.HasPrefix(sub, "u-") || str(found["accepts"]["client_id"]) != "native" {
			t.Errorf("it takes it for %v", found["accepts"])
		}
	})
	t.Run("x/oauth2", func(t *testing.T) { s.xoauth2(t, keyFile, persons) })
	t.Run("Apache", func(t *testing.T) { s.apache(t, persons) })
}

// xoauth2 is what a service in Go does without a line of ours.
func (s *system) xoauth2(t *testing.T, keyFile, persons string) {
	ctx, secret := context.WithValue(t.Context(), oauth2.HTTPClient, s.client), s.secretText("partner")
	config := func(style oauth2.AuthStyle, params url.Values) *clientcredentials.Config {
		return &clientcredentials.Config{
			ClientID: "partner", ClientSecret: secret, TokenURL: s.authURL + "/token", AuthStyle: style, EndpointParams: params,
		}
	}
	signer := jose.SigningKey{Algorithm: jose.ES256, Key: readKey(t, keyFile)}
	now := time.Now()
	claims, err := encode(map[string]any{"iss": "keyed", "sub": "keyed", "aud": s.authURL, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	keyed := config(oauth2.AuthStyleInParams, url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {signAs(t, signer, "client-authentication+jwt", claims)},
	})
	keyed.ClientID, keyed.ClientSecret = "keyed", ""
	exchange := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {persons},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "audience": {"search"},
	}
	for _, c := range []struct {
		name   string
		config *clientcredentials.Config
	}{
		{"by client_secret_basic", config(oauth2.AuthStyleInHeader, url.Values{"audience": {audience}})},
		{"by client_secret_post", config(oauth2.AuthStyleInParams, url.Values{"resource": {audience}})},
		{"by whatever works first", config(oauth2.AuthStyleAutoDetect, url.Values{"audience": {audience}})},
		{"by private_key_jwt", keyed},
		{"exchanges a person's token", config(oauth2.AuthStyleInHeader, exchange)},
	} {
		token, err := c.config.Token(ctx)
		if err != nil || token.Type() != "Bearer" || !token.Valid() || token.RefreshToken != "" {
			t.Errorf("%s: %+v, %v", c.name, token, err)
		}
	}
	refused := config(oauth2.AuthStyleInHeader, url.Values{"audience": {"nowhere"}})
	var no *oauth2.RetrieveError
	if _, err := refused.Token(ctx); !errors.As(err, &no) || no.ErrorCode != "invalid_target" || no.ErrorDescription == "" {
		t.Errorf("for nobody: %v", err)
	}
}
