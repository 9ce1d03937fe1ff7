package oauth_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"portcullis/authserver/internal/oauth"
	"portcullis/authserver/token"
)

func TestARealClientGetsATokenThatServicesAccept(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	issuer, err := token.NewIssuer(token.IssuerConfig{Name: "hotel", URL: s.URL, Audience: "reservations", HTTP: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{issuer}})
	if err != nil {
		t.Fatal(err)
	}
	for name, style := range map[string]oauth2.AuthStyle{
		"that finds out by itself how to authenticate": oauth2.AuthStyleAutoDetect,
		"that uses basic":        oauth2.AuthStyleInHeader,
		"that posts its secret":  oauth2.AuthStyleInParams,
		"that asks for resource": oauth2.AuthStyleInHeader,
	} {
		t.Run(name, func(t *testing.T) {
			parameter := "audience"
			if strings.HasSuffix(name, "resource") {
				parameter = "resource"
			}
			config := clientcredentials.Config{
				ClientID: "gateway", ClientSecret: s.secrets["gateway"], TokenURL: s.URL + "/token", AuthStyle: style,
				EndpointParams: url.Values{parameter: {"reservations"}}, Scopes: []string{"reservations:read"},
			}
			got, err := config.Token(context.WithValue(t.Context(), oauth2.HTTPClient, s.Client()))
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(got.Expiry); left < 4*time.Minute || left > 5*time.Minute {
				t.Errorf("it is good for %v, want five minutes", left)
			}
			who, err := verifier.Verify(t.Context(), got.AccessToken, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if who.Client != "gateway" || who.Subject != "gateway" || !who.Has("reservations:read") || len(who.Scopes) != 1 {
				t.Errorf("principal %+v", who)
			}
			if !strings.Contains(s.log.String(), who.TokenID) {
				t.Errorf("no event tells of token %s", who.TokenID)
			}
		})
	}
}

func TestTheTokenAnswerSaysWhatWasGranted(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	a := s.post(t, "demo", "")
	var got struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
		Scope       string
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if a.status != 200 || got.AccessToken == "" || got.TokenType != "Bearer" || got.ExpiresIn != 300 || got.Scope != "reservations:read search:read" {
		t.Errorf("answer %d %+v", a.status, got)
	}
}

func TestRefusalsSpeakOAuth(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	demo := "client_id=demo&client_secret=" + s.secrets["demo"]
	grant := "&grant_type=client_credentials"
	for name, c := range map[string]struct {
		body   string
		change func(*http.Request)
		status int
		code   string
	}{
		"no grant_type":                    {demo, nil, 400, "invalid_request"},
		"another grant":                    {demo + "&grant_type=password&username=a&password=b", nil, 400, "unsupported_grant_type"},
		"an audience that is not granted":  {demo + grant + "&audience=reservations", nil, 400, "invalid_target"},
		"two audiences":                    {demo + grant + "&audience=gateway&resource=search", nil, 400, "invalid_target"},
		"one of several audiences unnamed": {"client_id=gateway&client_secret=" + s.secrets["gateway"] + grant, nil, 400, "invalid_target"},
		"a scope that is not granted":      {demo + grant + "&scope=search:read+reservations:write", nil, 400, "invalid_scope"},
		"a scope with a quote":             {demo + grant + "&scope=%22", nil, 400, "invalid_scope"},
		"a parameter twice":                {demo + grant + "&scope=search:read&scope=reservations:read", nil, 400, "invalid_request"},
		"a body that is no form":           {`{"grant_type":"client_credentials"}`, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 400, "invalid_request"},
		"no content type":                  {demo + grant, func(r *http.Request) { r.Header.Del("Content-Type") }, 400, "invalid_request"},
		"two content types":                {demo + grant, func(r *http.Request) { r.Header.Add("Content-Type", "text/plain") }, 400, "invalid_request"},
		"a compressed body":                {demo + grant, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 400, "invalid_request"},
		"credentials in the URL":           {"grant_type=client_credentials", func(r *http.Request) { r.URL.RawQuery = demo }, 400, "invalid_request"},
		"a grant in the URL":               {demo, func(r *http.Request) { r.URL.RawQuery = "grant_type=client_credentials" }, 400, "invalid_request"},
		"a body over 32 KiB":               {demo + grant + "&x=" + strings.Repeat("x", 33<<10), nil, 413, "invalid_request"},
		"basic and post at once":           {demo + grant, func(r *http.Request) { r.SetBasicAuth("demo", s.secrets["demo"]) }, 400, "invalid_request"},
		"a token in place of a secret":     {grant[1:], func(r *http.Request) { r.Header.Set("Authorization", "Bearer abc") }, 401, "invalid_client"},
		"a client_id alone":                {grant[1:] + "&client_id=demo", nil, 401, "invalid_client"},
		"a public client with this grant":  {grant[1:] + "&client_id=native", nil, 400, "unauthorized_client"},
		"nobody":                           {grant[1:], nil, 401, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.ask(t, c.body)
			if c.change != nil {
				c.change(r)
			}
			a := s.send(t, r)
			if a.status != c.status || a.code(t) != c.code {
				t.Errorf("%d %s, want %d %s", a.status, a.body, c.status, c.code)
			}
			if got := a.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q, want no-store", got)
			}
			if (a.header.Get("WWW-Authenticate") != "") != (c.status == 401) {
				t.Errorf("WWW-Authenticate %q with status %d", a.header.Get("WWW-Authenticate"), a.status)
			}
			if strings.Contains(a.body, "access_token") {
				t.Errorf("a token was issued: %s", a.body)
			}
		})
	}
	for name, secret := range s.secrets {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the secret of %s is in a log or an event", name)
		}
	}
}

func TestAnUnknownClientAWrongSecretAndADisabledClientLookTheSame(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	if err := s.db.Disable(t.Context(), "gateway", time.Now()); err != nil {
		t.Fatal(err)
	}
	grant := "grant_type=client_credentials&client_id="
	var first answer
	for i, body := range []string{
		grant + "nobody&client_secret=" + s.secrets["demo"],
		grant + "demo&client_secret=" + s.secrets["gateway"],
		grant + "gateway&client_secret=" + s.secrets["gateway"],
	} {
		a := s.send(t, s.ask(t, body))
		a.header.Del("Date")
		if i == 0 {
			first = a
		}
		if a.status != 401 || a.body != first.body || len(a.header) != len(first.header) {
			t.Errorf("answer %d: %+v, the first was %+v", i, a, first)
		}
		for name := range first.header {
			if a.header.Get(name) != first.header.Get(name) {
				t.Errorf("answer %d: %s is %q, in the first %q", i, name, a.header.Get(name), first.header.Get(name))
			}
		}
	}
	if err := s.db.Enable(t.Context(), "gateway"); err != nil {
		t.Fatal(err)
	}
	if a := s.post(t, "gateway", "&audience=search"); a.status != 200 {
		t.Errorf("once it is enabled again: %d %s", a.status, a.body)
	}
}

func TestATokenIsSharedWithNoCacheAndNoOrigin(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	r := s.ask(t, "grant_type=client_credentials&client_id=demo&client_secret="+s.secrets["demo"])
	r.Header.Set("Origin", "https://evil.test")
	a := s.send(t, r)
	if a.status != 200 || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
		t.Errorf("answer %d with %v, want 200 and no-store", a.status, a.header)
	}
	if got := a.header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("Access-Control-Allow-Origin %q", got)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodOptions} {
		r := s.ask(t, "")
		r.Method = method
		if a := s.send(t, r); a.status != 405 || a.header.Get("Allow") != "POST" || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d, Allow %q; want 405 and POST", method, a.status, a.header.Get("Allow"))
		}
	}
}

func TestAClientThatFloodsIsTurnedAwayAloneAndRecovers(t *testing.T) {
	t.Parallel()
	s := start(t, 3)
	for i := range 3 {
		if a := s.post(t, "demo", ""); a.status != 200 {
			t.Fatalf("request %d: %d %s", i, a.status, a.body)
		}
	}
	a := s.post(t, "demo", "")
	if a.status != 429 || a.header.Get("Retry-After") != "10" || a.header.Get("Cache-Control") != "no-store" || a.code(t) != "temporarily_unavailable" {
		t.Errorf("the fourth: %d %v %s, want 429 with Retry-After 10", a.status, a.header, a.body)
	}
	if a := s.post(t, "gateway", "&audience=search"); a.status != 200 {
		t.Errorf("another client from the same address: %d %s", a.status, a.body)
	}
	// A flood in a client's name does not reach the client itself elsewhere.
	elsewhere := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   s.Client().Transport.(*http.Transport).TLSClientConfig.Clone(),
		ForceAttemptHTTP2: true,
		DialContext:       (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext,
	}}
	defer elsewhere.CloseIdleConnections()
	r := s.ask(t, "grant_type=client_credentials&client_id=demo&client_secret="+s.secrets["demo"])
	if a := send(t, elsewhere, r); a.status != 200 {
		t.Errorf("the same client from another address: %d %s", a.status, a.body)
	}
	// Names that do not exist are counted on the address in the end.
	for i := range 40 {
		a := s.send(t, s.ask(t, "grant_type=client_credentials&client_secret=s&client_id=x"+strings.Repeat("y", i)))
		if a.status == 429 {
			return
		}
	}
	t.Error("one address may try as many names as it likes")
}

func TestAFaultShowsNothingOfItsCause(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	s.db.Close()
	a := s.post(t, "demo", "")
	if a.status != 500 || a.body != `{"error":"server_error"}` || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	if !strings.Contains(s.log.String(), "a request failed") || strings.Contains(s.log.String(), s.secrets["demo"]) {
		t.Errorf("the log does not tell, or tells too much: %s", s.log)
	}
}

func TestTheMetadataIsTrue(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	// A real reader, which compares the issuer with where it asked.
	provider, err := oidc.NewProvider(oidc.ClientContext(t.Context(), s.Client()), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got := provider.Endpoint(); got.TokenURL != s.URL+"/token" || got.AuthURL != s.URL+"/authorize" {
		t.Errorf("endpoints %+v", got)
	}
	var bodies []string
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := s.send(t, r)
		if a.status != 200 || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
		bodies = append(bodies, a.body)
	}
	if bodies[0] != bodies[1] {
		t.Errorf("the two metadata documents differ:\n%s\n%s", bodies[0], bodies[1])
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal([]byte(bodies[2]), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("key set %s, want the current and the next key: %v", bodies[2], err)
	}
	key := set.Keys[0]
	if _, private := key["d"]; private || key["kty"] != "EC" || key["alg"] != "ES256" || key["use"] != "sig" || key["kid"] == "" {
		t.Errorf("key %v, want a public ES256 key", key)
	}
}

func TestWhatIsNotServedIsNotFound(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/nothing", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.send(t, r); a.status != 404 || a.header.Get("Content-Security-Policy") == "" {
		t.Errorf("%d %v", a.status, a.header)
	}
}

func TestAnIssuerIsSchemeHostAndPort(t *testing.T) {
	t.Parallel()
	for issuer, ok := range map[string]bool{
		"https://localhost:8444": true, "https://auth.hotel.test": true,
		"": false, "http://localhost:8444": false, "https://localhost:8444/": false, "https://localhost:8444/a": false,
		"https://u@localhost": false, "https://localhost?x": false, "https://localhost#x": false, "HTTPS://localhost": false,
	} {
		if err := oauth.CheckIssuer(issuer); (err == nil) != ok {
			t.Errorf("%q: %v", issuer, err)
		}
	}
}
