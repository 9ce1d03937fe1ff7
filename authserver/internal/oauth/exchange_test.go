package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portcullis/authserver/token"
)

const (
	exchangeForm = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
)

// exchange asks as a client for a token on behalf of a subject.
func (s *service) exchange(t *testing.T, client, subject, more string) answer {
	t.Helper()
	return s.send(t, s.ask(t, exchangeForm+"&client_id="+client+"&client_secret="+s.secrets[client]+"&subject_token="+subject+more))
}

// inspect is what introspection tells a client of a token.
func (s *service) inspect(t *testing.T, client, token string) map[string]any {
	t.Helper()
	a := s.send(t, s.form(t, "/introspect", "client_id="+client+"&client_secret="+s.secrets[client]+"&token="+url.QueryEscape(token)))
	var got map[string]any
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		t.Fatalf("introspection: %d %s", a.status, a.body)
	}
	return got
}

func (s *service) active(t *testing.T, client, token string) bool {
	t.Helper()
	return s.inspect(t, client, token)["active"] == true
}

func (s *service) revoke(t *testing.T, client, token string) answer {
	t.Helper()
	return s.send(t, s.form(t, "/revoke", "client_id="+client+"&client_secret="+s.secrets[client]+"&token="+token))
}

// audited is the text of the audit log.
func (s *service) audited(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "audit", "00000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAnExchangeSaysWhoActsForWhom(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	guest := s.redeem(t, s.code(t), "").tokens(t)
	a := s.exchange(t, "gateway", guest.Access, "&audience=search")
	got := a.tokens(t)
	if !strings.Contains(a.body, `"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"`) || got.Refresh != "" {
		t.Errorf("the answer is %s", a.body)
	}
	// The audience itself may ask; it is called search and has no secret here, so
	// the gateway, whose own token it is, does.
	told := s.inspect(t, "gateway", got.Access)
	if told["sub"] != "u-7" || told["aud"] != "search" || told["client_id"] != "gateway" || told["scope"] != "search:read" {
		t.Errorf("introspection says %v", told)
	}
	if act, ok := told["act"].(map[string]any); !ok || act["sub"] != "gateway" {
		t.Errorf("act is %v", told["act"])
	}
	if log := s.audited(t); !strings.Contains(log, `"subject":"u-7","actor":"gateway"`) {
		t.Error("the audit does not tell who acted for whom")
	}
}

func TestWhatExchangeRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	guest := s.redeem(t, s.code(t), "").tokens(t)
	own := s.post(t, "gateway", "&audience=search").tokens(t)
	forSearch := s.exchange(t, "gateway", guest.Access, "&audience=search").tokens(t)
	for name, c := range map[string]struct {
		answer answer
		code   string
	}{
		"a scope that the subject token lacks":   {s.exchange(t, "gateway", guest.Access, "&audience=reservations"), "invalid_scope"},
		"a scope that is asked beyond":           {s.exchange(t, "gateway", guest.Access, "&audience=search&scope=reservations:read"), "invalid_scope"},
		"an audience that is not the client's":   {s.exchange(t, "gateway", guest.Access, "&audience=payments"), "invalid_target"},
		"no audience where there are several":    {s.exchange(t, "gateway", guest.Access, ""), "invalid_target"},
		"a token that was sent to somebody else": {s.exchange(t, "reservations", guest.Access, "&audience=payments"), "invalid_request"},
		"a token that is not for the client":     {s.exchange(t, "gateway", forSearch.Access, "&audience=reservations"), "invalid_request"},
		"the client's own token":                 {s.exchange(t, "gateway", own.Access, "&audience=search"), "invalid_request"},
		"an ID token":                            {s.exchange(t, "gateway", guest.ID, "&audience=search"), "invalid_request"},
		"a refresh token":                        {s.exchange(t, "gateway", guest.Refresh, "&audience=search"), "invalid_request"},
		"garbage":                                {s.exchange(t, "gateway", "a.b.c", "&audience=search"), "invalid_request"},
		"a token that was altered":               {s.exchange(t, "gateway", guest.Access[:len(guest.Access)-6]+"AAAAAA", "&audience=search"), "invalid_request"},
		"an actor_token":                         {s.exchange(t, "gateway", guest.Access, "&audience=search&actor_token=x&actor_token_type=y"), "invalid_request"},
		"another kind of token wanted":           {s.exchange(t, "gateway", guest.Access, "&audience=search&requested_token_type=urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request"},
		"no subject token":                       {s.exchange(t, "gateway", "", "&audience=search"), "invalid_request"},
		"a client without the grant":             {s.exchange(t, "demo", guest.Access, ""), "unauthorized_client"},
	} {
		if c.answer.status != 400 || c.answer.code(t) != c.code {
			t.Errorf("%s: %d %s, want %s", name, c.answer.status, c.answer.body, c.code)
		}
	}
}

func TestRevokingATokenEndsWhatWasExchangedFromIt(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	guest := s.redeem(t, s.code(t), "").tokens(t)
	inner := s.exchange(t, "gateway", guest.Access, "&audience=search").tokens(t)
	if a := s.revoke(t, "gateway", guest.Access); a.status != 400 || a.code(t) != "unauthorized_client" {
		t.Errorf("another client's token: %d %s", a.status, a.body)
	}
	if !s.active(t, "gateway", guest.Access) || !s.active(t, "gateway", inner.Access) {
		t.Fatal("a refused revocation has revoked")
	}
	if a := s.revoke(t, "booking", guest.Access); a.status != 200 || a.body != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if s.active(t, "gateway", guest.Access) || s.active(t, "gateway", inner.Access) {
		t.Error("the token, or what was exchanged from it, lives on")
	}
	if a := s.exchange(t, "gateway", guest.Access, "&audience=search"); a.code(t) != "invalid_request" {
		t.Errorf("it can still be exchanged: %d %s", a.status, a.body)
	}
	// The sign-in goes on: another token can be had.
	if a := s.refresh(t, guest.Refresh, ""); a.status != 200 {
		t.Errorf("a refresh afterwards: %d %s", a.status, a.body)
	}
	// What is no token is no error (RFC 7009 2.2).
	for _, token := range []string{"a.b.c", "pcr_x", guest.Access} {
		if a := s.revoke(t, "booking", token); a.status != 200 {
			t.Errorf("revoking %q: %d %s", token, a.status, a.body)
		}
	}
}

func TestRevokingARefreshTokenEndsTheSignIn(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	first := s.redeem(t, s.code(t), "").tokens(t)
	second := s.refresh(t, first.Refresh, "").tokens(t)
	if !s.active(t, "booking", second.Refresh) || s.active(t, "booking", first.Refresh) || s.active(t, "gateway", second.Refresh) {
		t.Error("a refresh token is active for its client alone, and until it is used")
	}
	// An old one of the family will do: it was ours.
	if a := s.revoke(t, "booking", first.Refresh); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if s.active(t, "gateway", second.Access) || s.active(t, "booking", second.Refresh) {
		t.Error("the sign-in lives on")
	}
}

func TestIntrospectionTellsNobodyOfTokensThatAreNotTheirs(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	token := s.post(t, "demo", "").tokens(t)
	if !s.active(t, "gateway", token.Access) || !s.active(t, "demo", token.Access) {
		t.Error("whom it is for, and whose it is, may ask")
	}
	for _, client := range []string{"reservations", "booking"} {
		if got := s.inspect(t, client, token.Access); len(got) != 1 || got["active"] != false {
			t.Errorf("%s is told %v", client, got)
		}
	}
	for name, form := range map[string]string{
		"nobody":          "token=" + token.Access,
		"a public client": "client_id=native&token=" + token.Access,
		"a wrong secret":  "client_id=gateway&client_secret=x&token=" + token.Access,
	} {
		if a := s.send(t, s.form(t, "/introspect", form)); a.status == 200 || strings.Contains(a.body, "active") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := s.send(t, s.form(t, "/introspect", "client_id=gateway&client_secret="+s.secrets["gateway"])); a.code(t) != "invalid_request" {
		t.Errorf("no token: %d %s", a.status, a.body)
	}
}

func TestTheStreamOfRevocationsIsForThoseWhoMayHearIt(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	may := s.post(t, "gateway", "&audience=authserver").tokens(t)
	mayNot := s.post(t, "gateway", "&audience=search").tokens(t)
	list := func(bearer string) answer {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/revocations", nil)
		if err != nil {
			t.Fatal(err)
		}
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		return s.send(t, r)
	}
	for name, bearer := range map[string]string{"nobody": "", "a token for somebody else": mayNot.Access, "garbage": "x"} {
		if a := list(bearer); a.status != 401 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := list(may.Access); a.status != 200 || !strings.Contains(a.body, `"entries":[]`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := s.feed.Revoke(t.Context(), token.Revocation{Kind: token.RevokeToken, Value: "t-1", Until: 4e9}); err != nil {
		t.Fatal(err)
	}
	if a := list(may.Access); a.status != 200 || !strings.Contains(a.body, `"kind":"token","value":"t-1"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
