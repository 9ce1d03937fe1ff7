package oauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/internal/store"
)

// erase asks for an account's end with a token of a client's.
func (s *service) erase(t *testing.T, bearer, subject string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.URL+"/accounts/"+subject, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return s.send(t, r)
}

// signUp makes the account whose tokens say u-7.
func (s *service) signUp(t *testing.T) {
	t.Helper()
	now := time.Now()
	if err := s.db.SignUp(t.Context(), store.Person{ID: "u-7", Email: "guest@hotel.test", Password: "hash", Created: now},
		store.Mail{Address: "guest@hotel.test", Purpose: store.PurposeSignUp, Created: now, Expires: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
}

func TestErasingAnAccountEndsItsTokensEverywhereAndIsRecordedWithoutTheAddress(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	s.signUp(t)
	got := s.redeem(t, s.code(t), "").tokens(t)
	exchanged := s.exchange(t, "gateway", got.Access, "&audience=search").tokens(t).Access
	other := s.post(t, "demo", "").tokens(t).Access
	if !s.active(t, "gateway", got.Access) || !s.active(t, "gateway", exchanged) {
		t.Fatal("the tokens are not good to begin with")
	}
	lines := s.listen(t, "")
	for event := ""; event != "beat"; {
		event, _, _ = next(t, lines)
	}
	bearer := s.post(t, "users", "&audience=authserver").tokens(t).Access
	for range 2 {
		if a := s.erase(t, bearer, "u-7"); a.status != http.StatusNoContent || a.body != "" || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	// Whoever listens hears of it.
	for event := ""; event != "revoked"; {
		event, _, _ = next(t, lines)
	}
	if s.active(t, "gateway", got.Access) || s.active(t, "gateway", exchanged) {
		t.Error("a token is still good")
	}
	if a := s.refresh(t, got.Refresh, ""); a.status != 400 || a.code(t) != "invalid_grant" {
		t.Errorf("the refresh token: %d %s", a.status, a.body)
	}
	if !s.active(t, "gateway", other) {
		t.Error("another's token ended with it")
	}
	if _, err := s.db.PersonByEmail(t.Context(), "guest@hotel.test"); err == nil {
		t.Error("the address still finds somebody")
	}
	log := s.audited(t)
	if n := strings.Count(log, `"account.erase"`); n != 2 || strings.Count(log, "there was no such account") != 1 {
		t.Errorf("%d records of it: %s", n, log)
	}
	for _, line := range strings.Split(log, "\n") {
		if strings.Contains(line, `"account.erase"`) && (!strings.Contains(line, `"users"`) || !strings.Contains(line, `"u-7"`)) {
			t.Errorf("the record does not say who and whom: %s", line)
		}
	}
	if strings.Contains(log+s.log.String(), "guest@hotel.test") {
		t.Error("the address is in the audit or a log")
	}
}

func TestWhoMayEraseAccounts(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	s.signUp(t)
	for name, c := range map[string]struct {
		bearer string
		want   int
	}{
		"nobody":                              {"", 401},
		"whoever only hears of revocations":   {s.post(t, "gateway", "&audience=authserver").tokens(t).Access, 403},
		"who has the scope for somebody else": {s.post(t, "users", "&audience=gateway").tokens(t).Access, 401},
		"the guest alone":                     {s.redeem(t, s.code(t), "").tokens(t).Access, 401},
	} {
		if a := s.erase(t, c.bearer, "u-7"); a.status != c.want {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, c.want)
		}
	}
	if _, err := s.db.Person(t.Context(), "u-7"); err != nil {
		t.Errorf("the account is gone: %v", err)
	}
	bearer := s.post(t, "users", "&audience=authserver").tokens(t).Access
	// What is no subject of ours ends nothing, and an address does not get into the audit.
	for _, subject := range []string{"gateway", "g-7", "guest@hotel.test", "u-7%20", "u-%2e", "u-" + strings.Repeat("a", 300)} {
		if a := s.erase(t, bearer, subject); a.status != http.StatusNoContent {
			t.Errorf("%.20s: %d %s", subject, a.status, a.body)
		}
	}
	if strings.Contains(s.audited(t), "guest@hotel.test") {
		t.Error("the audit holds what the caller took for a subject")
	}
	if !s.active(t, "gateway", s.post(t, "demo", "").tokens(t).Access) {
		t.Error("a client's token ended")
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/accounts/u-7", nil)
	if a := s.send(t, r); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "DELETE" {
		t.Errorf("GET: %d, Allow %q", a.status, a.header.Get("Allow"))
	}
}

func TestAnAccountIsNotErasedUnrecorded(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	bearer := s.post(t, "users", "&audience=authserver").tokens(t).Access
	if err := s.audit.Close(); err != nil {
		t.Fatal(err)
	}
	if a := s.erase(t, bearer, "u-7"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
