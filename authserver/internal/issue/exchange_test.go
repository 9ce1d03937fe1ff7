package issue_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/token"
)

// edge is a client that receives tokens for "gateway" and may exchange them.
func edge() issue.Client {
	return issue.Client{
		ID: "gateway", Grants: []string{issue.TokenExchangeGrant}, Serves: []string{"gateway"},
		Audiences: []issue.Audience{
			{Name: "search", Scopes: []string{"search:read"}},
			{Name: "reservations", Scopes: []string{"reservations:read", "reservations:write"}, MayAct: "reservations"},
		},
	}
}

// guest is who the token of a guest speaks for.
func guest() *token.Principal {
	return &token.Principal{
		Subject: "g-7", Client: "booking", Audience: []string{"gateway"}, Scopes: []string{"reservations:read", "search:read"},
		TokenID: "t-1", Lineage: []string{"s-1"}, Expires: moment.Add(2 * time.Minute), AuthTime: moment.Add(-time.Hour),
	}
}

func TestAnExchangedTokenSaysWhoActsForWhom(t *testing.T) {
	got, err := newIssuer(t).Exchange(t.Context(), issue.ExchangeRequest{
		Request: issue.Request{Client: edge(), Audiences: []string{"reservations"}}, Subject: guest(),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"iss": "https://auth.test", "sub": "g-7", "client_id": "gateway", "aud": "reservations", "scope": "reservations:read",
		"iat": float64(moment.Unix()), "exp": float64(moment.Add(2 * time.Minute).Unix()), "jti": got.ID,
		"act": map[string]any{"sub": "gateway"}, "may_act": map[string]any{"sub": "reservations"},
		"auth_time": float64(moment.Add(-time.Hour).Unix()), "lineage": []any{"s-1", "t-1"},
	}
	if d := cmp.Diff(want, decode(t, strings.Split(got.Value, ".")[1])); d != "" {
		t.Error(d)
	}
}

func TestADelegationNestsWhoActedBefore(t *testing.T) {
	subject := guest()
	subject.Actors = []string{"reservations", "gateway"}
	got, err := newIssuer(t).Exchange(t.Context(), issue.ExchangeRequest{
		Request: issue.Request{
			Client: issue.Client{ID: "payments", Grants: []string{issue.TokenExchangeGrant}, Serves: []string{"gateway"}, Audiences: edge().Audiences[:1]},
		}, Subject: subject,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"sub": "payments", "act": map[string]any{"sub": "reservations", "act": map[string]any{"sub": "gateway"}}}
	if d := cmp.Diff(any(want), decode(t, strings.Split(got.Value, ".")[1])["act"]); d != "" {
		t.Error(d)
	}
}

func TestADelegationOnlyNarrows(t *testing.T) {
	issuer := newIssuer(t)
	for name, c := range map[string]struct {
		change func(*issue.ExchangeRequest)
		code   issue.Code // empty: issued
		scopes string
	}{
		"all that both allow": {nil, "", "reservations:read"},
		"a scope that the client has and the subject token has not": {func(r *issue.ExchangeRequest) { r.Scope = "reservations:write" }, issue.InvalidScope, ""},
		"a scope that the subject token has and the client has not": {func(r *issue.ExchangeRequest) { r.Scope = "search:read" }, issue.InvalidScope, ""},
		"a subject token with no scope for the audience":            {func(r *issue.ExchangeRequest) { r.Subject.Scopes = []string{"search:read"} }, issue.InvalidScope, ""},
		"an audience that the client may not call":                  {func(r *issue.ExchangeRequest) { r.Audiences = []string{"payments"} }, issue.InvalidTarget, ""},
		"two audiences":                                                   {func(r *issue.ExchangeRequest) { r.Audiences = []string{"search", "reservations"} }, issue.InvalidTarget, ""},
		"a token that was sent to somebody else":                          {func(r *issue.ExchangeRequest) { r.Subject.Audience = []string{"reservations"} }, issue.InvalidRequest, ""},
		"a token that names another actor":                                {func(r *issue.ExchangeRequest) { r.Subject.MayAct = "search" }, issue.InvalidRequest, ""},
		"a token that names the client as actor":                          {func(r *issue.ExchangeRequest) { r.Subject.MayAct = "gateway" }, "", "reservations:read"},
		"a token that the client acts in already":                         {func(r *issue.ExchangeRequest) { r.Subject.Actors = []string{"search", "gateway"} }, issue.InvalidRequest, ""},
		"a chain that is full":                                            {func(r *issue.ExchangeRequest) { r.Subject.Actors = []string{"a", "b", "c", "d"} }, issue.InvalidRequest, ""},
		"a chain that is almost full":                                     {func(r *issue.ExchangeRequest) { r.Subject.Actors = []string{"a", "b", "c"} }, "", "reservations:read"},
		"the client's own token":                                          {func(r *issue.ExchangeRequest) { r.Subject.Subject = "gateway" }, issue.InvalidRequest, ""},
		"a token that has expired within the skew":                        {func(r *issue.ExchangeRequest) { r.Subject.Expires = moment.Add(-time.Second) }, issue.InvalidRequest, ""},
		"a token with more ancestors than can be told":                    {func(r *issue.ExchangeRequest) { r.Subject.Lineage = make([]string, 8) }, issue.InvalidRequest, ""},
		"a client without the grant":                                      {func(r *issue.ExchangeRequest) { r.Client.Grants = []string{issue.ClientCredentialsGrant} }, issue.UnauthorizedClient, ""},
		"a token for several audiences, the client's among them":          {func(r *issue.ExchangeRequest) { r.Subject.Audience = []string{"x", "gateway"} }, "", "reservations:read"},
		"a client that serves an audience whose name begins like its own": {func(r *issue.ExchangeRequest) { r.Client.Serves = []string{"gate"} }, issue.InvalidRequest, ""},
	} {
		t.Run(name, func(t *testing.T) {
			req := issue.ExchangeRequest{Request: issue.Request{Client: edge(), Audiences: []string{"reservations"}}, Subject: guest()}
			if c.change != nil {
				c.change(&req)
			}
			got, err := issuer.Exchange(t.Context(), req)
			if refusal, refused := errors.AsType[*issue.Error](err); refused {
				if refusal.Code != c.code {
					t.Errorf("refused with %v, want %q", refusal, c.code)
				}
				return
			}
			if err != nil || c.code != "" || strings.Join(got.Scopes, " ") != c.scopes {
				t.Errorf("issued %q, %v; want %q %q", got.Scopes, err, c.scopes, c.code)
			}
		})
	}
}

// Whatever is exchanged for whatever, nothing is gained by it.
func TestNoExchangeGainsAnything(t *testing.T) {
	issuer := newIssuer(t)
	names := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	few := func(t *rapid.T, label string) []string { return rapid.SliceOfN(names, 0, 4).Draw(t, label) }
	rapid.Check(t, func(t *rapid.T) {
		client := issue.Client{ID: names.Draw(t, "client"), Grants: []string{issue.TokenExchangeGrant}, Serves: few(t, "serves"),
			Lifetime: time.Duration(rapid.Int64Range(0, int64(2*time.Hour)).Draw(t, "lifetime"))}
		for range rapid.IntRange(0, 3).Draw(t, "audiences") {
			client.Audiences = append(client.Audiences, issue.Audience{Name: names.Draw(t, "audience"), Scopes: few(t, "scopes")})
		}
		subject := &token.Principal{
			Subject: names.Draw(t, "subject"), Audience: few(t, "aud"), Scopes: few(t, "held"), Actors: rapid.SliceOfN(names, 0, 5).Draw(t, "actors"),
			MayAct: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "may_act"), TokenID: "t", Lineage: few(t, "lineage"),
			Expires: moment.Add(time.Duration(rapid.IntRange(-60, 7200).Draw(t, "left")) * time.Second),
		}
		got, err := issuer.Exchange(context.Background(), issue.ExchangeRequest{
			Request: issue.Request{Client: client, Audiences: few(t, "asked"), Scope: strings.Join(few(t, "scope"), " ")}, Subject: subject,
		})
		if err != nil {
			return
		}
		switch {
		case got.Subject != subject.Subject, got.Expires.After(subject.Expires), len(got.Actors) > 4,
			subject.MayAct != "" && subject.MayAct != client.ID,
			!slices.ContainsFunc(client.Audiences, func(a issue.Audience) bool { return a.Name == got.Audience }),
			slices.ContainsFunc(got.Scopes, func(s string) bool { return !slices.Contains(subject.Scopes, s) }),
			!slices.Equal(got.Actors, append([]string{client.ID}, subject.Actors...)), slices.Contains(subject.Actors, client.ID):
			t.Fatalf("%+v was made of %+v by %+v", got, subject, client)
		}
	})
}
