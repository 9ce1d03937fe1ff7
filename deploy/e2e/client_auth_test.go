package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// secretOf is the secret that was made for a client of the system.
func (s *system) secretOf(client string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, client+".secret"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// TestAClientProvesWhoItIsInOneWay sends what two readers could take for two
// clients, and secrets in places that are kept.
func TestAClientProvesWhoItIsInOneWay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, false)
	d.startAuth()
	secret := d.secretOf("search")
	body := "grant_type=client_credentials&audience=reservations"
	mine := "&client_id=search&client_secret=" + secret
	jwt := func(client string) string {
		return "&client_assertion_type=" + url.QueryEscape(assertionType) + "&client_assertion=" + d.assertion(client)
	}
	encoded := strings.NewReplacer("s", "%73", "_", "%5F").Replace
	for _, c := range []struct {
		name, query, body string
		authorization     []string
		status            int
		code              string
	}{
		{"a secret in the body", "", body + mine, nil, 200, ""},
		{"a secret in the header", "", body, []string{basic("search", secret)}, 200, ""},
		{"a form-encoded secret in the header", "", body, []string{basic(encoded("search"), encoded(secret))}, 200, ""},
		{"an encoding in the header that breaks off", "", body, []string{basic("search%7", secret)}, 400, "invalid_request"},
		{"a control character in the header", "", body, []string{basic("search%00", secret)}, 400, "invalid_request"},
		{"base64 with stray bits", "", body, []string{basic("search", secret) + "="}, 400, "invalid_request"},
		{"no colon in the header", "", body, []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("search"))}, 400, "invalid_request"},
		{"a secret in both", "", body + mine, []string{basic("search", secret)}, 400, "invalid_request"},
		{"two headers", "", body, []string{basic("search", secret), basic("gateway", "x")}, 400, "invalid_request"},
		{"a secret and an assertion", "", body + mine + jwt("robot"), nil, 400, "invalid_request"},
		{"a header and an assertion", "", body + jwt("robot"), []string{basic("search", secret)}, 400, "invalid_request"},
		{"a bearer token and a secret", "", body + mine, []string{"Bearer x"}, 400, "invalid_request"},
		{"a bearer token", "", body, []string{"Bearer x"}, 401, "invalid_client"},
		{"one client in the header, another in the body", "", body + "&client_id=gateway", []string{basic("search", secret)}, 400, "invalid_request"},
		{"one client in the assertion, another in the body", "", body + "&client_id=search" + jwt("robot"), nil, 400, "invalid_request"},
		{"two clients in the body", "", body + mine + "&client_id=gateway", nil, 400, "invalid_request"},
		{"two secrets in the body", "", body + mine + "&client_secret=x", nil, 400, "invalid_request"},
		{"another case of a name", "", body + mine + "&Client_Secret=x", nil, 400, "invalid_request"},
		{"two grants", "", body + mine + "&grant_type=refresh_token", nil, 400, "invalid_request"},
		{"two scopes", "", body + mine + "&scope=availability:read&scope=search:read", nil, 400, "invalid_request"},
		{"two audiences, which may be asked for and are not given", "", body + mine + "&audience=authserver", nil, 400, "invalid_target"},
		{"an audience and a resource", "", body + mine + "&resource=authserver", nil, 400, "invalid_target"},
		{"the same audience twice", "", body + mine + "&resource=reservations", nil, 200, ""},
		{"a secret in the URL", "?client_id=search&client_secret=" + secret, body, nil, 400, "invalid_request"},
		{"the grant in the URL", "?grant_type=client_credentials", "audience=reservations" + mine, nil, 400, "invalid_request"},
		{"a question mark alone", "?", body + mine, nil, 400, "invalid_request"},
		{"a broken escape", "", body + mine + "%zz", nil, 400, "invalid_request"},
		{"semicolons", "", strings.ReplaceAll(body+mine, "&", ";"), nil, 400, "invalid_request"},
		{"a NUL", "", body + mine + "%00", nil, 400, "invalid_request"},
		{"more than a form has", "", body + mine + "&pad=" + strings.Repeat("a", 33<<10), nil, 413, "invalid_request"},
		{"a hundred parameters", "", body + mine + strings.Repeat("&a=b", 100), nil, 400, "invalid_request"},
		{"no client", "", body, nil, 401, "invalid_client"},
		{"a name alone", "", body + "&client_id=search", nil, 401, "invalid_client"},
		{"an empty secret", "", body + "&client_id=search&client_secret=", nil, 401, "invalid_client"},
		{"the digest instead of the secret", "", body + "&client_id=search&client_secret=v1:sha256:x", nil, 401, "invalid_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := d.tryPost(d.client, d.authURL+"/token"+c.query, c.body, func(r *http.Request) { r.Header["Authorization"] = c.authorization })
			if err != nil {
				t.Fatal(err)
			}
			if g := a.granted(); a.status != c.status || g.Error != c.code || (g.Access != "") != (c.status == 200) {
				t.Errorf("got %d %s, want %d %q", a.status, a.body, c.status, c.code)
			}
			d.private(t, a)
		})
	}
	d.bodies(t, body+mine)
	t.Run("what is revoked is told to those alone who have a token for that", func(t *testing.T) {
		feed := d.must(d.post("/token", form("grant_type", "client_credentials", "client_id", "search", "client_secret", secret, "audience", "authserver"))).Access
		for raw, want := range map[string]int{"": 401, "garbage": 401, d.credentials("robot", audience): 401, d.outside.Mint(map[string]any{"aud": "authserver", "scope": "revocations:read"}): 401, feed: 200} {
			req := must(http.NewRequest(http.MethodGet, d.authURL+"/revocations", nil))
			if raw != "" {
				req.Header.Set("Authorization", "Bearer "+raw)
			}
			res := must(d.client.Do(req))
			_ = res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("got %d, want %d", res.StatusCode, want)
			}
		}
	})
}

// private expects that an answer is kept by no cache and shown to no other
// origin.
func (d *desk) private(t *testing.T, a answer) {
	t.Helper()
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the answer may be kept or shown to others: %v", a.header)
	}
}

// bodies are other methods and kinds of bodies, also of a page of another
// origin, which asks beforehand.
func (d *desk) bodies(t *testing.T, body string) {
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		for _, path := range []string{"/token", "/introspect", "/revoke"} {
			t.Run("there is nothing but POST at "+path+", not "+method, func(t *testing.T) {
				a, err := d.tryPost(d.client, d.authURL+path, "", func(r *http.Request) {
					r.Method = method
					r.Header.Set("Origin", "https://evil.test")
					r.Header.Set("Access-Control-Request-Method", "POST")
				})
				if err != nil {
					t.Fatal(err)
				}
				if a.status != 405 || a.header.Get("Allow") != "POST" || a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Access-Control-Allow-Methods") != "" {
					t.Errorf("got %d %v", a.status, a.header)
				}
			})
		}
	}
	for _, media := range []string{"application/json", "multipart/form-data; boundary=x", "text/plain", "", "application/x-www-form-urlencoded, text/plain"} {
		t.Run("a body is a form, not "+media, func(t *testing.T) {
			a := d.post("/token", nil, func(r *http.Request) {
				r.Body, r.ContentLength = http.NoBody, 0
				r.Header.Set("Content-Type", media)
			})
			if a.status != 400 || a.granted().Error != "invalid_request" {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	t.Run("a form that was compressed is not read", func(t *testing.T) {
		a, err := d.tryPost(d.client, d.authURL+"/token", body, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })
		if err != nil || a.status != 400 {
			t.Errorf("got %d %s, %v", a.status, a.body, err)
		}
	})
}

// TestNobodyLearnsWhichClientsExist compares answers, and roughly their times:
// the code path is the same, and no difference is so large that a test under
// load could see it (a hash of an unknown client that was left out could be).
func TestNobodyLearnsWhichClientsExist(t *testing.T) {
	t.Parallel()
	d := newDesk(t, false)
	d.authArgs = append(d.authArgs, "--rate", "1000000")
	if out, code := d.operate("client", "disable", "reservations"); code != 0 {
		t.Fatal(out)
	}
	d.startAuth()
	strangers := map[string]url.Values{
		"unknown":      form("client_id", "nobody", "client_secret", d.secretOf("search")),
		"wrong secret": form("client_id", "search", "client_secret", d.secretOf("gateway")),
		"disabled":     form("client_id", "reservations", "client_secret", d.secretOf("reservations")),
		"has a key":    form("client_id", "robot", "client_secret", d.secretOf("gateway")),
		"is public":    form("client_id", "app", "client_secret", d.secretOf("gateway")),
	}
	var first *answer
	for name, who := range strangers {
		for _, path := range []string{"/token", "/introspect", "/revoke"} {
			f := form("grant_type", "client_credentials", "token", "x")
			for k, v := range who {
				f[k] = v
			}
			a := d.post(path, f)
			a.header.Del("Date")
			if first == nil {
				first = &a
			}
			if a.status != http.StatusUnauthorized || a.body != first.body || fmt.Sprint(a.header) != fmt.Sprint(first.header) {
				t.Errorf("%s at %s: %d %s %v, and another got %d %s %v", name, path, a.status, a.body, a.header, first.status, first.body, first.header)
			}
		}
	}
	// Names that are new to the back-off, from addresses that are, too: one
	// attempt each, in turn.
	times := map[bool][]time.Duration{}
	for i := range 120 {
		client := d.from(byte(2 + i))
		for _, known := range []bool{true, false} {
			who := map[bool]string{true: "search", false: "nobody"}[known]
			body := form("grant_type", "client_credentials", "client_id", who, "client_secret", d.secretOf("gateway")).Encode()
			if _, err := d.tryPost(client, d.authURL+"/jwks", ""); err != nil { // the connection is there
				t.Fatal(err)
			}
			began := time.Now()
			a, err := d.tryPost(client, d.authURL+"/token", body)
			if err != nil || a.status != http.StatusUnauthorized {
				t.Fatalf("%d %s %v", a.status, a.body, err)
			}
			times[known] = append(times[known], time.Since(began))
		}
		client.CloseIdleConnections()
	}
	median := func(known bool) time.Duration {
		slices.Sort(times[known])
		return times[known][len(times[known])/2]
	}
	if known, unknown := median(true), median(false); known > 3*unknown || unknown > 3*known {
		t.Errorf("half of the answers for a client take up to %v, and for nobody %v", known, unknown)
	}
}
