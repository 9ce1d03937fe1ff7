package issue_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/keyring"
)

var moment = time.Date(2026, 11, 23, 12, 0, 0, 5e8, time.UTC)

func newIssuer(t testing.TB) *issue.Issuer {
	t.Helper()
	ring, err := keyring.New(keyring.Config{Storage: &keyring.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := issue.New(issue.Config{Issuer: "https://auth.test", Ring: ring, Now: func() time.Time { return moment }})
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

func demo() issue.Client {
	return issue.Client{
		ID: "demo", Grants: []string{issue.ClientCredentialsGrant}, Lifetime: 10 * time.Minute,
		Audiences: []issue.Audience{
			{Name: "gateway", Scopes: []string{"search:read", "reservations:read"}},
			{Name: "search", Scopes: []string{"search:read"}},
		},
	}
}

func TestATokenSaysWhatRFC9068AsksFor(t *testing.T) {
	token, err := newIssuer(t).ClientCredentials(t.Context(), issue.Request{Client: demo(), Audiences: []string{"gateway"}})
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token.Value, ".")
	header, payload := decode(t, parts[0]), decode(t, parts[1])
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] == "" || len(header) != 3 {
		t.Errorf("the header is %v", header)
	}
	want := map[string]any{
		"iss": "https://auth.test", "sub": "demo", "client_id": "demo", "aud": "gateway",
		"iat": float64(moment.Unix()), "exp": float64(moment.Unix() + 600),
		"jti": token.ID, "scope": "reservations:read search:read",
	}
	if d := cmp.Diff(want, payload); d != "" {
		t.Error(d)
	}
	if len(token.ID) < 20 || token.Lifetime != 10*time.Minute || token.Expires.Unix() != moment.Unix()+600 {
		t.Errorf("the client is told %+v", token)
	}
}

func decode(t *testing.T, part string) (m map[string]any) {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhoMayAskForWhat(t *testing.T) {
	issuer := newIssuer(t)
	single := demo()
	single.Audiences = single.Audiences[:1]
	for _, c := range []struct {
		name      string
		client    issue.Client
		audiences []string
		scope     string
		want      string // the scopes
		code      issue.Code
	}{
		{"all that is granted", demo(), []string{"gateway"}, "", "reservations:read search:read", ""},
		{"less than is granted", demo(), []string{"gateway"}, "search:read", "search:read", ""},
		{"the same scope twice", demo(), []string{"gateway"}, "search:read search:read", "search:read", ""},
		{"the only audience need not be named", single, nil, "search:read", "search:read", ""},
		{"audience and resource that agree", demo(), []string{"search", "search"}, "", "search:read", ""},
		{"audience and resource that differ", demo(), []string{"search", "gateway"}, "", "", issue.InvalidTarget},
		{"no audience where there are two", demo(), nil, "", "", issue.InvalidTarget},
		{"an audience that is not granted", demo(), []string{"payments"}, "", "", issue.InvalidTarget},
		{"an audience that begins like a granted one", demo(), []string{"gateway2"}, "", "", issue.InvalidTarget},
		{"an empty audience", demo(), []string{""}, "", "", issue.InvalidTarget},
		{"more than is granted", demo(), []string{"gateway"}, "search:read admin", "", issue.InvalidScope},
		{"a scope that is granted for another audience", demo(), []string{"search"}, "reservations:read", "", issue.InvalidScope},
		{"two spaces", demo(), []string{"gateway"}, "search:read  reservations:read", "", issue.InvalidScope},
		{"a space alone", demo(), []string{"gateway"}, " ", "", issue.InvalidScope},
		{"a client without audiences", issue.Client{ID: "x", Grants: demo().Grants}, nil, "", "", issue.InvalidTarget},
		{"a client without the grant", issue.Client{ID: "x", Grants: []string{"authorization_code"}, Audiences: demo().Audiences}, []string{"search"}, "", "", issue.UnauthorizedClient},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := issuer.ClientCredentials(t.Context(), issue.Request{Client: c.client, Audiences: c.audiences, Scope: c.scope})
			if refusal, refused := errors.AsType[*issue.Error](err); refused {
				if refusal.Code != c.code || strings.ContainsAny(refusal.Description, "\"\\\r\n") {
					t.Errorf("refused with %v", refusal)
				}
				return
			}
			if err != nil || c.code != "" || strings.Join(token.Scopes, " ") != c.want {
				t.Errorf("%q, %v", token.Scopes, err)
			}
		})
	}
}

func TestLifetimesAreBounded(t *testing.T) {
	issuer := newIssuer(t)
	for asked, want := range map[time.Duration]time.Duration{
		0: 5 * time.Minute, -time.Hour: 5 * time.Minute, time.Minute: time.Minute, 24 * time.Hour: time.Hour,
	} {
		client := demo()
		client.Lifetime = asked
		token, err := issuer.ClientCredentials(t.Context(), issue.Request{Client: client, Audiences: []string{"search"}})
		if err != nil || token.Lifetime != want {
			t.Errorf("%s gave %s, %v", asked, token.Lifetime, err)
		}
	}
}

// Whatever is asked for, a token never says more than was granted.
func TestNoTokenIsWiderThanItsGrant(t *testing.T) {
	issuer := newIssuer(t)
	names := rapid.SampledFrom([]string{"a", "b", "c", "d", ""})
	rapid.Check(t, func(t *rapid.T) {
		client := issue.Client{
			ID: "x", Grants: rapid.SliceOfN(rapid.SampledFrom([]string{issue.ClientCredentialsGrant, "other"}), 0, 2).Draw(t, "grants"),
			Lifetime: time.Duration(rapid.Int64().Draw(t, "lifetime")),
		}
		for range rapid.IntRange(0, 3).Draw(t, "audiences") {
			client.Audiences = append(client.Audiences, issue.Audience{
				Name: names.Draw(t, "audience"), Scopes: rapid.SliceOfN(names, 0, 4).Draw(t, "scopes"),
			})
		}
		token, err := issuer.ClientCredentials(context.Background(), issue.Request{
			Client: client, Audiences: rapid.SliceOfN(names, 0, 2).Draw(t, "asked"),
			Scope: strings.Join(rapid.SliceOfN(names, 0, 4).Draw(t, "scope"), " "),
		})
		if err != nil {
			return
		}
		granted := slices.IndexFunc(client.Audiences, func(a issue.Audience) bool {
			return a.Name == token.Audience && !slices.ContainsFunc(token.Scopes, func(s string) bool { return !slices.Contains(a.Scopes, s) })
		})
		if granted < 0 || !slices.Contains(client.Grants, issue.ClientCredentialsGrant) || token.Lifetime > time.Hour || token.Lifetime <= 0 {
			t.Fatalf("%+v was issued to %+v", token, client)
		}
	})
}

func TestNobodyWaitsForASignatureAfterHangingUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newIssuer(t).ClientCredentials(ctx, issue.Request{Client: demo(), Audiences: []string{"search"}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAnIssuerNeedsItsURLAndKeys(t *testing.T) {
	for _, cfg := range []issue.Config{{}, {Issuer: "https://auth.test"}} {
		if _, err := issue.New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
