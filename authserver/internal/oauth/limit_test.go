package oauth_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// asserting is a token request by an assertion.
func asserting(raw string) string {
	return "grant_type=client_credentials&client_assertion_type=" + url.QueryEscape("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") + "&client_assertion=" + raw
}

// TestWhoAssertsIsKeptOutByNobodyAtTheSameAddress: neither wrong secrets nor
// forged or replayed assertions in a client's name make its next one wait.
func TestWhoAssertsIsKeptOutByNobodyAtTheSameAddress(t *testing.T) {
	t.Parallel()
	const rate = 20
	s := start(t, rate)
	fresh := func() string {
		raw, err := s.robot.Assertion("robot", s.URL, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	used := fresh()
	if a := s.send(t, s.ask(t, asserting(used))); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	forged := fresh()
	forged = forged[:strings.LastIndexByte(forged, '.')+1] + strings.Repeat("A", 86)
	for range rate/2 - 1 {
		for _, raw := range []string{used, forged} {
			if a := s.send(t, s.ask(t, asserting(raw))); a.status != 401 {
				t.Fatalf("%d %s, want 401", a.status, a.body)
			}
		}
	}
	for range 2 * rate { // more than the budget of the secrets
		s.send(t, s.ask(t, "grant_type=client_credentials&client_id=robot&client_secret=wrong"))
	}
	if a := s.send(t, s.ask(t, asserting(fresh()))); a.status != 200 {
		t.Errorf("the client itself: %d %s", a.status, a.body)
	}
}
