package oauth_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/token"
)

// listen opens the stream of revocations after a cursor.
func (s *service) listen(t *testing.T, cursor string) *bufio.Scanner {
	t.Helper()
	bearer := s.post(t, "gateway", "&audience=authserver").tokens(t).Access
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/revocations", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set("Accept", "text/event-stream")
	if cursor != "" {
		r.Header.Set("Last-Event-ID", cursor)
	}
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %s", res.Status, res.Header.Get("Content-Type"))
	}
	return bufio.NewScanner(res.Body)
}

// next reads one event: its name, id and data.
func next(t *testing.T, lines *bufio.Scanner) (event, id, data string) {
	t.Helper()
	for lines.Scan() {
		line := lines.Text()
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "event":
			event = value
		case "id":
			id = value
		case "data":
			data = value
		case "":
			return event, id, data
		}
	}
	t.Fatalf("the stream ended: %v", lines.Err())
	return "", "", ""
}

func (s *service) withdraw(t *testing.T, id string) {
	t.Helper()
	if err := s.feed.Revoke(t.Context(), token.Revocation{Kind: token.RevokeToken, Value: id, Until: 4e9}); err != nil {
		t.Fatal(err)
	}
}

func TestTheStreamGoesOnWhereItsReaderWas(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	s.withdraw(t, "t-1")
	s.withdraw(t, "t-2")
	lines := s.listen(t, "")
	event, _, state := next(t, lines)
	if event != "state" || !strings.Contains(state, `"seq":2`) {
		t.Fatalf("first comes %s %s", event, state)
	}
	_, first, _ := next(t, lines)
	event, _, data := next(t, lines)
	if event != "revoked" || !strings.Contains(data, `"t-2"`) {
		t.Errorf("third comes %s %s", event, data)
	}
	if event, _, _ = next(t, lines); event != "beat" {
		t.Errorf("the backlog ends with %s", event)
	}
	s.withdraw(t, "t-3")
	if event, _, data = next(t, lines); event != "revoked" || !strings.Contains(data, `"t-3"`) {
		t.Errorf("what comes later comes as %s %s", event, data)
	}
	for event != "beat" { // every two seconds
		event, _, _ = next(t, lines)
	}

	again := s.listen(t, first)
	next(t, again) // the state
	if event, _, data := next(t, again); event != "revoked" || !strings.Contains(data, `"t-2"`) {
		t.Errorf("after %s comes %s %s", first, event, data)
	}
	other := s.listen(t, "another-epoch:2")
	next(t, other)
	if event, _, data := next(t, other); event != "revoked" || !strings.Contains(data, `"t-1"`) {
		t.Errorf("who comes from another epoch begins with %s %s", event, data)
	}
}

// TestAVerifierElsewhereHearsOfARevocation uses both ends as they are.
func TestAVerifierElsewhereHearsOfARevocation(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	source, err := token.NewSource(token.SourceConfig{
		TokenURL: s.URL + "/token", ClientID: "gateway", Secret: func() (string, error) { return s.secrets["gateway"], nil },
		Audience: token.FeedAudience, HTTP: s.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	revoked, err := token.NewRevocations(token.RevocationsConfig{URL: s.URL + "/revocations", Token: source.Token, HTTP: s.Client(), Stale: time.Minute, Then: "deny"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { revoked.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	issuer, err := token.NewIssuer(token.IssuerConfig{Name: "hotel", URL: s.URL, Audience: "gateway", HTTP: s.Client(), Revocations: revoked})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{issuer}})
	if err != nil {
		t.Fatal(err)
	}
	bearer := s.post(t, "demo", "").tokens(t).Access
	if _, err := verifier.Verify(t.Context(), bearer, time.Now()); err != nil {
		t.Fatal(err)
	}
	if a := s.revoke(t, "demo", bearer); a.status != 200 {
		t.Fatal(a.body)
	}
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := verifier.Verify(t.Context(), bearer, time.Now()); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the token is still good elsewhere")
		}
	}
}

func TestTheHeadOfTheAuditIsSignedAndMovesOn(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	first := s.browse(t, "/audit/head")
	if first.status != 200 || strings.Count(first.body, ".") != 2 || first.header.Get("Content-Type") != "application/jwt" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	s.post(t, "demo", "")
	deadline := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for s.browse(t, "/audit/head").body == first.body { // it moves on once a second at most
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the head stays after a token was issued")
		}
	}
}

func TestNobodyIsAnsweredWithoutAnAudit(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	if err := s.audit.Close(); err != nil {
		t.Fatal(err)
	}
	if a := s.post(t, "demo", ""); a.status < 500 || strings.Contains(a.body, "access_token") {
		t.Errorf("a token: %d %s", a.status, a.body)
	}
	if a := s.send(t, s.ask(t, "grant_type=client_credentials&client_id=demo&client_secret=x")); a.status < 500 {
		t.Errorf("a refusal: %d %s", a.status, a.body)
	}
}

func TestTheAuditTellsInWhoseNameSomebodyFailed(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	s.send(t, s.ask(t, "grant_type=client_credentials&client_id=demo&client_secret=x"))
	s.send(t, s.ask(t, "grant_type=client_credentials&client_id="+s.secrets["demo"]+"&client_secret=x"))
	log := s.audited(t)
	if !strings.Contains(log, "in the name of demo") {
		t.Errorf("it does not: %s", log)
	}
	if strings.Contains(log, s.secrets["demo"]) {
		t.Error("a secret that stood in the place of a name is in the audit")
	}
}
