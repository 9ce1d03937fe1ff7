package token_test

import (
	"net/http"
	"testing"

	"portcullis/authserver/token"
	"portcullis/services/problem"
)

func TestTheTokenIsInOneAuthorizationField(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields []string
		want   string
		code   problem.Code
	}{
		{"a bearer token", []string{"Bearer abc"}, "abc", ""},
		{"the scheme has no case", []string{"bEARER abc"}, "abc", ""},
		{"no field", nil, "", problem.MissingToken},
		{"an empty field", []string{""}, "", problem.MissingToken},
		{"the scheme alone", []string{"Bearer "}, "", problem.MissingToken},
		{"another scheme", []string{"Basic abc"}, "", problem.MissingToken},
		{"a scheme that begins alike", []string{"Bearerx abc"}, "", problem.MissingToken},
		{"a tab for the space", []string{"Bearer\tabc"}, "", problem.MissingToken},
		{"two fields", []string{"Bearer abc", "Bearer def"}, "", problem.BadRequest},
		{"two equal fields", []string{"Bearer abc", "Bearer abc"}, "", problem.BadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := token.Bearer(http.Header{"Authorization": c.fields})
			if got != c.want || codeOf(err) != c.code {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestReadingAGoodFieldAllocatesNothing(t *testing.T) {
	h := http.Header{"Authorization": {"Bearer abc"}}
	if n := testing.AllocsPerRun(100, func() { _, _ = token.Bearer(h) }); n != 0 {
		t.Errorf("a good field costs %v allocations", n)
	}
}

func TestChallengesSayWhatIsLacking(t *testing.T) {
	for _, c := range []struct {
		code problem.Code
		want string
	}{
		{problem.MissingToken, `Bearer realm="hotel"`},
		{problem.InvalidToken, `Bearer realm="hotel", error="invalid_token"`},
		{problem.InsufficientScope, `Bearer realm="hotel", error="insufficient_scope", scope="a b"`},
		{problem.Forbidden, ""},
		{problem.IssuerUnavailable, ""},
	} {
		p := token.Challenge(problem.New(c.code, ""), "hotel", "a", "b")
		if got := p.Header.Get("WWW-Authenticate"); got != c.want {
			t.Errorf("%s: %s", c.code, got)
		}
	}
	if got := token.BearerChallenge("a\"b\\c\r\nX-Evil: 1\xff", "", ""); got != `Bearer realm="a\"b\\cX-Evil: 1"` {
		t.Errorf("a hostile realm: %s", got)
	}
	if got := token.BearerChallenge("", "", ""); got != "Bearer" {
		t.Errorf("nothing to say: %s", got)
	}
}
