package access_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	issuer := tokentest.New(t)
	good := issuer.Mint(nil)
	cases := map[string]struct {
		issuers       []string
		authorization []string
		wantCode      problem.Code
		wantChallenge string
	}{
		"a token of a named issuer gives a principal":  {[]string{"hotel"}, []string{"Bearer " + good}, "", ""},
		"the scheme has no case":                       {[]string{"hotel"}, []string{"bearer " + good}, "", ""},
		"no token is told nothing but the realm":       {[]string{"hotel"}, nil, problem.MissingToken, `Bearer realm="portcullis"`},
		"another scheme is no token":                   {[]string{"hotel"}, []string{"Basic eDp5"}, problem.MissingToken, `Bearer realm="portcullis"`},
		"garbage is an invalid token":                  {[]string{"hotel"}, []string{"Bearer x"}, problem.InvalidToken, `Bearer realm="portcullis", error="invalid_token"`},
		"an issuer the route does not name is refused": {[]string{"partner"}, []string{"Bearer " + good}, problem.InvalidToken, `Bearer realm="portcullis", error="invalid_token"`},
		"two fields are refused":                       {[]string{"hotel"}, []string{"Bearer " + good, "Bearer " + good}, problem.BadRequest, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stage, err := access.NewAuthenticate(issuer.Verifier(), c.issuers)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["Authorization"] = c.authorization
			if c.authorization == nil {
				r.Header.Del("Authorization")
			}
			tx := &pipeline.Transaction{Request: r, Start: time.Now()}
			err = stage.Decide(tx)
			var code problem.Code
			var got string
			if p, ok := errors.AsType[*problem.Problem](err); ok {
				code, got = p.Code, p.Header.Get("WWW-Authenticate")
			}
			if code != c.wantCode || got != c.wantChallenge || (tx.Principal != nil) != (c.wantCode == "") || (tx.Bearer == good) != (c.wantCode == "") {
				t.Errorf("got %v, challenge %q, principal %v; want %q, %q", err, got, tx.Principal, c.wantCode, c.wantChallenge)
			}
		})
	}
}

// broken is a verifier that cannot tell.
type broken struct{ err error }

func (b broken) Verify(context.Context, string, time.Time) (*token.Principal, error) {
	return nil, b.err
}

func TestAVerifierThatCannotTellLetsNobodyIn(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"a failure of ours stays one, for the runner to answer 503": errors.New("out of memory"),
		"keys that cannot be had are no fault of the token":         problem.New(problem.IssuerUnavailable, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stage, err := access.NewAuthenticate(broken{failure}, []string{"hotel"})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer x")
			tx := &pipeline.Transaction{Request: r, Start: time.Now()}
			got := stage.Decide(tx)
			if !errors.Is(got, failure) || tx.Principal != nil || tx.Bearer != "" {
				t.Errorf("got %v, principal %v", got, tx.Principal)
			}
			if p, ok := errors.AsType[*problem.Problem](got); ok && p.Header.Get("WWW-Authenticate") != "" {
				t.Error("the caller is asked for another token, which would not help")
			}
		})
	}
}

func TestNewAuthenticateNeedsSomebodyToTrust(t *testing.T) {
	t.Parallel()
	if _, err := access.NewAuthenticate(nil, []string{"hotel"}); err == nil {
		t.Error("no verifier is accepted")
	}
	if _, err := access.NewAuthenticate(broken{}, nil); err == nil {
		t.Error("no issuer is accepted")
	}
}
