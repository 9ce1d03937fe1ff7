package e2e

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/token/tokentest"
)

// A stay some weeks ahead: a date in the past is refused, whenever this runs.
var (
	arrival      = time.Now().AddDate(0, 0, 30).Format(time.DateOnly)
	departure    = time.Now().AddDate(0, 0, 32).Format(time.DateOnly)
	searchTarget = "/v1/hotels?city=Helsinki&guests=2&from=" + arrival + "&to=" + departure
)

// TestWhoMayAndWhoMayNot is one system and everyone who knocks.
func TestWhoMayAndWhoMayNot(t *testing.T) {
	t.Parallel()
	s := start(t)
	stranger := tokentest.New(t)
	now := time.Now()
	claims := func(over map[string]any) map[string]any {
		c := map[string]any{"sub": "g-7", "client_id": "suite", "scope": "search:read reservations:read", "aud": audience}
		for k, v := range over {
			c[k] = v
		}
		return c
	}
	mint := func(over map[string]any) string { return s.outside.Mint(claims(over)) }
	good := mint(nil)
	cases := []struct {
		name, method, target, bearer string
		wantStatus                   int
		wantCode, wantStage          string
	}{
		{"a token with the scope is let through", "GET", searchTarget, good, 200, "", ""},
		{"no token is 401", "GET", searchTarget, "", 401, "missing_token", "authenticate"},
		{"garbage is 401", "GET", searchTarget, "garbage", 401, "invalid_token", "authenticate"},
		{"a token that was altered is 401", "GET", searchTarget, good[:len(good)-8] + "AAAAAAAA", 401, "invalid_token", "authenticate"},
		{"an expired token is 401", "GET", searchTarget, mint(map[string]any{"iat": now.Add(-time.Hour).Unix(), "exp": now.Add(-10 * time.Minute).Unix()}), 401, "invalid_token", "authenticate"},
		{"a token for another audience is 401", "GET", searchTarget, mint(map[string]any{"aud": "reservations"}), 401, "invalid_token", "authenticate"},
		{"an ID token is 401", "GET", searchTarget, s.outside.MintRaw(map[string]any{"typ": "JWT"}, claims(map[string]any{
			"iss": s.outside.URL, "jti": "id-token", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "nonce": "n", "at_hash": "h",
		})), 401, "invalid_token", "authenticate"},
		{"a token of an issuer nobody named is 401", "GET", searchTarget, stranger.Mint(claims(nil)), 401, "invalid_token", "authenticate"},
		{"a token without the scope is 403", "GET", searchTarget, mint(map[string]any{"scope": "reservations:read"}), 403, "insufficient_scope", "authorize"},
		{"one's own reservations are shown", "GET", "/v1/guests/g-7/reservations", good, 200, "", ""},
		{"another guest's are 403", "GET", "/v1/guests/g-9/reservations", good, 403, "forbidden", "authorize"},
		{"an unknown route is 404", "GET", "/v1/nothing", good, 404, "not_found", ""},
		{"an internal endpoint has no route", "POST", "/v1/availability", good, 404, "not_found", ""},
		{"another method is 405", "PUT", "/v1/hotels", good, 405, "method_not_allowed", ""},
		{"SQL injection in the query is 403", "GET", "/v1/hotels?city=1%27%20OR%20%271%27=%271%27%20UNION%20SELECT%20password%20FROM%20users--", good, 403, "waf_denied", "inspect"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := s.send(c.method, c.target, c.bearer, "")
			if a.status != c.wantStatus || a.code() != c.wantCode {
				t.Errorf("got %d %q, want %d %q: %s", a.status, a.code(), c.wantStatus, c.wantCode, a.body)
			}
			id := a.header.Get("X-Request-Id")
			if e := s.event(id)["portcullis"].(map[string]any); str(e["stage"]) != c.wantStage {
				t.Errorf("the event names stage %q, want %q", str(e["stage"]), c.wantStage)
			}
			switch a.status {
			case 401:
				if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
					t.Errorf("401 without a challenge: %v", a.header)
				}
			case 405:
				if !strings.Contains(a.header.Get("Allow"), "GET") {
					t.Errorf("405 without Allow: %v", a.header)
				}
			}
			if a.status >= 400 && !strings.Contains(a.body, id) {
				t.Errorf("the refusal does not name its request id: %s", a.body)
			}
		})
	}
}

func TestATokenByTheCommandLineIsATokenLikeAnyOther(t *testing.T) {
	t.Parallel()
	s := start(t)
	demo := s.commandToken("demo")
	if a := s.send("GET", searchTarget, demo, ""); a.status != 200 {
		t.Errorf("search as demo: %d %s", a.status, a.body)
	}
	if a := s.send("GET", searchTarget, "", ""); a.status != 401 {
		t.Errorf("without it: %d", a.status)
	}
}

// commandToken gets a token with `authserver token get` and more flags.
func (s *system) commandToken(client string, flags ...string) string {
	s.t.Helper()
	args := []string{"token", "get", "--url", s.authURL, "--ca", s.authority.CA(), "--client-id", client, "--client-secret-file", s.secret(client)}
	cmd := exec.Command(filepath.Join(bin, "authserver"), append(args, flags...)...)
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("token get: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func TestWhatABackendSees(t *testing.T) {
	t.Parallel()
	s := prepare(t)
	s.startAuth()
	s.startGateway()
	req, err := http.NewRequest("GET", s.gatewayURL+"/e2e/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	bearer := s.as("g-7", "e2e")
	for name, value := range map[string]string{
		"Authorization": "Bearer " + bearer, "X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X_User": "root", "X-User-Id": "root",
		"Portcullis-Subject": "root", "Portcullis-Client": "root", "Connection": "X-Custom", "X-Custom": "hop", "X-Request-ID": "mine", "X-Kept": "yes",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	} {
		req.Header[http.CanonicalHeaderKey(name)] = []string{value}
	}
	res, err := s.http1().Do(req) // Connection means something in HTTP/1.1 only
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got seen
	if err := decode(res.Body, &got); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d: %v", res.StatusCode, err)
	}
	for name, want := range map[string]string{
		"Authorization": "", "X-Real-Ip": "", "Forwarded": "", "X_user": "", "X_User": "", "X-User-Id": "", "X-Kept": "yes",
		"Portcullis-Subject": "", "Portcullis-Client": "", "X-Forwarded-For": "127.0.0.1", "X-Request-Id": res.Header.Get("X-Request-Id"),
	} {
		if got := strings.Join(got.Header[name], ","); got != want {
			t.Errorf("%s: the backend sees %q, want %q", name, got, want)
		}
	}
	if tp := got.Header.Get("Traceparent"); !strings.Contains(tp, "0af7651916cd43dd8448eb211c80319c") {
		t.Errorf("traceparent is not passed on: %q", tp)
	}
	if res.Header.Get("X-Request-Id") == "mine" {
		t.Error("the client chose its request id")
	}
}
