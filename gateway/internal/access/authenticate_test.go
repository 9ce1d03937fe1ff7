package access_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
			stage, err := access.NewAuthenticate(issuer.Verifier(), texts(c.issuers...))
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
			stage, err := access.NewAuthenticate(broken{failure}, texts("hotel"))
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
	if _, err := access.NewAuthenticate(nil, texts("hotel")); err == nil {
		t.Error("no verifier is accepted")
	}
	if _, err := access.NewAuthenticate(broken{}, nil); err == nil {
		t.Error("no issuer is accepted")
	}
}

func TestAuthenticateExplainsWhoseTokenAndWhyNot(t *testing.T) {
	t.Parallel()
	issuer := tokentest.New(t)
	issuers := []access.Text{{V: "partner", Place: "routes/search.yaml:9"}, {V: "hotel", Place: "gateway.yaml:7"}}
	for name, c := range map[string]struct {
		issuers []access.Text
		token   string
		want    pipeline.Reason
	}{
		"a token that is good": {issuers, issuer.Mint(nil), pipeline.Reason{
			Text: "a token of partner or hotel", State: pipeline.Holds, Value: `issuer hotel, subject "g-7", client "demo"`, Place: "gateway.yaml:7"}},
		"no token": {issuers, "", pipeline.Reason{
			Text: "a token of partner or hotel", State: pipeline.Fails, Value: problem.MissingToken.Title(), Place: "routes/search.yaml:9", Mend: "a token of partner or hotel"}},
		"another issuer": {issuers[:1], issuer.Mint(nil), pipeline.Reason{
			Text: "a token of partner", State: pipeline.Fails, Value: `issuer "hotel" is not among those of the route: partner`, Place: "routes/search.yaml:9", Mend: "a token of partner"}},
		"another audience": {issuers, issuer.Mint(map[string]any{"aud": "https://other.test"}), pipeline.Reason{
			Text: "a token of partner or hotel", State: pipeline.Fails, Value: `aud ["https://other.test"] is not for "https://api.hotel.test"`, Place: "routes/search.yaml:9", Mend: "a token of partner or hotel"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stage, err := access.NewAuthenticate(issuer.Verifier(), c.issuers)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			tx := &pipeline.Transaction{Request: r, Start: time.Now(), Route: &pipeline.Route{Stages: []pipeline.Stage{stage}}}
			got := stage.Explain(tx, pipeline.Decide(tx))
			if diff := cmp.Diff([]pipeline.Reason{c.want}, got); diff != "" {
				t.Error(diff)
			}
			if c.token != "" && strings.Contains(fmt.Sprint(got), c.token[:20]) {
				t.Error("the token is in it")
			}
		})
	}
}

func TestAuthenticateExplainsThatItCannotTell(t *testing.T) {
	t.Parallel()
	stage, err := access.NewAuthenticate(broken{problem.New(problem.IssuerUnavailable, "").Because(errors.New("keys of issuer hotel: refused"))}, texts("hotel"))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer x")
	tx := &pipeline.Transaction{Request: r, Start: time.Now(), Route: &pipeline.Route{Stages: []pipeline.Stage{stage}}}
	got := stage.Explain(tx, pipeline.Decide(tx))[0]
	if got.State != pipeline.Broken || got.Mend != "" || got.Value != "keys of issuer hotel: refused" {
		t.Errorf("%+v", got)
	}
}
