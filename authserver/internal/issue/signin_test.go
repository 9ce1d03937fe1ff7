package issue_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/token"
)

func booking() issue.Client {
	return issue.Client{
		ID: "booking", Grants: []string{issue.AuthorizationCodeGrant, issue.RefreshTokenGrant},
		Audiences: []issue.Audience{{Name: "gateway", Scopes: []string{"search:read", "reservations:read"}, MayAct: "gateway"}},
	}
}

func signIn() issue.SignIn {
	return issue.SignIn{
		ID: "s-1", Subject: "u-7", Audience: "gateway", Scopes: []string{"email", "openid", "search:read"},
		AuthTime: moment.Add(-time.Minute), Expires: moment.Add(time.Hour),
	}
}

func TestWhatAPersonMayGrantAClient(t *testing.T) {
	for name, c := range map[string]struct {
		client    issue.Client
		audiences []string
		scope     string
		want      string
		code      issue.Code
	}{
		"scopes of the audience and of the person":                  {booking(), nil, "openid search:read email", "email openid search:read", ""},
		"no scope is all of the audience and nothing of the person": {booking(), nil, "", "reservations:read search:read", ""},
		"openid alone is no scope of the audience":                  {booking(), nil, "openid", "openid", ""},
		"a scope that the client has not":                           {booking(), nil, "openid admin", "", issue.InvalidScope},
		"an audience that the client has not":                       {booking(), []string{"payments"}, "openid", "", issue.InvalidTarget},
		"a client for services alone":                               {demo(), []string{"gateway"}, "openid", "", issue.UnauthorizedClient},
	} {
		t.Run(name, func(t *testing.T) {
			audience, scopes, err := issue.Authorize(issue.Request{Client: c.client, Audiences: c.audiences, Scope: c.scope})
			if refusal, refused := errors.AsType[*issue.Error](err); refused {
				if refusal.Code != c.code {
					t.Errorf("refused with %v, want %q", refusal, c.code)
				}
				return
			}
			if c.code != "" || audience != "gateway" || strings.Join(scopes, " ") != c.want {
				t.Errorf("%q %q %v", audience, scopes, err)
			}
		})
	}
}

func TestATokenOfASignIn(t *testing.T) {
	issuer := newIssuer(t)
	got, err := issuer.ForSignIn(t.Context(), issue.SignInRequest{Client: booking(), SignIn: signIn()})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"iss": "https://auth.test", "sub": "u-7", "client_id": "booking", "aud": "gateway", "scope": "search:read", "jti": got.ID,
		"iat": float64(moment.Unix()), "exp": float64(moment.Unix() + 300), "may_act": map[string]any{"sub": "gateway"},
		"auth_time": float64(moment.Unix() - 60), "lineage": []any{"s-1"},
	}
	if d := cmp.Diff(want, decode(t, strings.Split(got.Value, ".")[1])); d != "" {
		t.Error(d)
	}
	id, err := issuer.IDToken(booking(), signIn(), issue.Person{Email: "g@hotel.test", Verified: true, Nonce: "n"})
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(id, ".")
	if header := decode(t, parts[0]); header["typ"] != "JWT" {
		t.Errorf("the ID token's header is %v: it must not pass for an access token", header)
	}
	wantID := map[string]any{
		"iss": "https://auth.test", "sub": "u-7", "aud": "booking", "iat": float64(moment.Unix()), "exp": float64(moment.Unix() + 300),
		"auth_time": float64(moment.Unix() - 60), "nonce": "n", "email": "g@hotel.test", "email_verified": true,
	}
	if d := cmp.Diff(wantID, decode(t, parts[1])); d != "" {
		t.Error(d)
	}
}

func TestASignInOnlyNarrows(t *testing.T) {
	issuer := newIssuer(t)
	for name, c := range map[string]struct {
		change func(*issue.SignInRequest)
		code   issue.Code
		scopes string
	}{
		"what was granted":                 {nil, "", "email openid search:read"},
		"less than was granted":            {func(r *issue.SignInRequest) { r.Scope = "search:read" }, "", "search:read"},
		"more than was granted":            {func(r *issue.SignInRequest) { r.Scope = "reservations:read" }, issue.InvalidScope, ""},
		"another audience":                 {func(r *issue.SignInRequest) { r.Audiences = []string{"payments"} }, issue.InvalidTarget, ""},
		"a scope the policy took away":     {func(r *issue.SignInRequest) { r.Client.Audiences[0].Scopes = nil }, "", "email openid"},
		"an audience the policy took away": {func(r *issue.SignInRequest) { r.Client.Audiences = nil }, issue.InvalidGrant, ""},
		"a sign-in that has ended":         {func(r *issue.SignInRequest) { r.SignIn.Expires = moment }, issue.InvalidGrant, ""},
	} {
		t.Run(name, func(t *testing.T) {
			req := issue.SignInRequest{Client: booking(), SignIn: signIn()}
			if c.change != nil {
				c.change(&req)
			}
			got, err := issuer.ForSignIn(t.Context(), req)
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

func TestATokenNeverOutlivesItsSignIn(t *testing.T) {
	req := issue.SignInRequest{Client: booking(), SignIn: signIn()}
	req.SignIn.Expires = moment.Add(90 * time.Second)
	got, err := newIssuer(t).ForSignIn(t.Context(), req)
	if err != nil || got.Expires.After(req.SignIn.Expires) || got.Lifetime != 90*time.Second {
		t.Errorf("%v until %v, %v", got.Lifetime, got.Expires, err)
	}
}

func TestNoIDTokenWithoutOpenID(t *testing.T) {
	s := signIn()
	s.Scopes = []string{"email", "search:read"}
	if id, err := newIssuer(t).IDToken(booking(), s, issue.Person{Email: "g@hotel.test"}); id != "" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
}

func TestNoTokenIsBornRevoked(t *testing.T) {
	ring, err := keyring.New(keyring.Config{Storage: &keyring.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	revoked := token.NewLocalRevocations()
	issuer, err := issue.New(issue.Config{Issuer: "https://auth.test", Ring: ring, Revoked: revoked.Revoked, Now: func() time.Time { return moment }})
	if err != nil {
		t.Fatal(err)
	}
	// In this very second the person signed out everywhere, and in again.
	revoked.Add(token.Revocation{Seq: 1, Kind: token.RevokeSubject, Value: "u-7", Before: moment.Unix(), Until: 4e9})
	got, err := issuer.ForSignIn(t.Context(), issue.SignInRequest{Client: booking(), SignIn: signIn()})
	if err != nil {
		t.Fatal(err)
	}
	claims := decode(t, strings.Split(got.Value, ".")[1])
	if claims["iat"] != float64(moment.Unix()+1) || claims["exp"] != float64(moment.Unix()+300) {
		t.Errorf("it says iat %v and exp %v, want the next second and no longer life", claims["iat"], claims["exp"])
	}
	revoked.Add(token.Revocation{Seq: 3, Kind: token.RevokeSubject, Value: "u-7", Before: moment.Add(issue.RevokedAhead).Unix(), Until: 4e9})
	if got, err = issuer.ForSignIn(t.Context(), issue.SignInRequest{Client: booking(), SignIn: signIn()}); err != nil {
		t.Fatal(err)
	}
	if claims := decode(t, strings.Split(got.Value, ".")[1]); claims["iat"] != float64(moment.Add(issue.RevokedAhead).Unix()+1) {
		t.Errorf("after a revocation that reaches ahead it says iat %v", claims["iat"])
	}
	revoked.Add(token.Revocation{Seq: 2, Kind: token.RevokeToken, Value: "s-1", Until: 4e9})
	if _, err := issuer.ForSignIn(t.Context(), issue.SignInRequest{Client: booking(), SignIn: signIn()}); err == nil {
		t.Error("a token of a sign-in that was revoked")
	}
}
