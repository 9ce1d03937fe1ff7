package e2e

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestNoFormNameThatDiffersOnlyInCaseHidesAnAttack asks 200 times: an engine built
// without our tag keeps one of two such names at random and passes seven of eight
// (SECURITY.md, "Weaknesses of the engine").
func TestNoFormNameThatDiffersOnlyInCaseHidesAnAttack(t *testing.T) {
	t.Parallel()
	s := edge(t)
	bearer := s.as("g-7", "e2e")
	forms := []string{"q=1%27+OR+1%3D1--&Q=1", "Q=1&q=1%27+OR+1%3D1--", "qx=1&qX=1%27+OR+1%3D1--&Qx=1&QX=1", "%51=1&q=1%27+OR+1%3D1--"}
	for n := range 200 {
		s.denies(n, bearer, forms[n%len(forms)], nil)
	}
}

// TestNoNameGivenAgainHidesAnAttack asks 200 times: the engine takes values of one
// name for one another at random, and missed one in nine of these.
func TestNoNameGivenAgainHidesAnAttack(t *testing.T) {
	t.Parallel()
	s := edge(t)
	bearer := s.as("g-7", "e2e")
	for n := range 100 {
		s.denies(n, bearer, "note=1&a=1&b=2", []string{"${jndi:ldap://x/y}", "1", "2"})
		s.denies(n, bearer, "q=%24%7Bjndi%3Aldap%3A%2F%2Fx%2Fy%7D&q=1&q=2&a=1&b=2&c=3&d=4", nil)
	}
	if unsure, off := s.metric(`portcullis_waf_proof_total{profile="json-api",verdict="unsure"}`), os.Getenv("WAF_PROOF") == "off"; (unsure == "0") != off {
		t.Errorf("the proof was unsure of %q requests; it is off: %t", unsure, off)
	}
}

// denies sends a form, and an extra field with these values, and wants the rules to
// refuse it.
func (s *system) denies(try int, bearer, form string, notes []string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.gatewayURL+"/e2e/echo", strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Accept", "application/json")
	r.Header["X-Note"] = notes
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || (answer{body: string(body)}).code() != "waf_denied" {
		s.t.Fatalf("try %d: the form %q with %q is answered %d, %v: %.200s", try+1, form, notes, res.StatusCode, err, body)
	}
}
