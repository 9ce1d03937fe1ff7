package wiretest

import (
	"net/http"
	"strings"
	"testing"

	"portcullis/authserver/token/tokentest"
)

// Operation is a request that succeeds with one scope.
type Operation struct{ Method, Path, Body, Scope string }

// WantsItsScope fails the test when an operation of the service audience is done
// for who has no token, one for its neighbour, or every scope but its own, and
// when it is not done for the guest g-7 with that scope alone.
func WantsItsScope(t *testing.T, issuer *tokentest.Issuer, audience, neighbour, every string, operations []Operation, ask func(bearer, method, path, body string) Answer) {
	t.Helper()
	mint := func(audience, scope string) string {
		return issuer.Mint(map[string]any{"aud": audience, "sub": "g-7", "scope": scope})
	}
	for _, o := range operations {
		t.Run(o.Method+" "+o.Path, func(t *testing.T) {
			others := strings.Join(strings.Fields(strings.Replace(every, o.Scope, "", 1)), " ")
			for name, d := range map[string]struct {
				bearer string
				status int
			}{
				"no token":                  {"", http.StatusUnauthorized},
				"a token for the neighbour": {mint(neighbour, every), http.StatusUnauthorized},
				"the other scopes":          {mint(audience, others), http.StatusForbidden},
			} {
				if a := ask(d.bearer, o.Method, o.Path, o.Body); a.StatusCode != d.status {
					t.Errorf("%s: status %d, want %d", name, a.StatusCode, d.status)
				}
			}
			if a := ask(mint(audience, o.Scope), o.Method, o.Path, o.Body); a.StatusCode >= 300 {
				t.Errorf("with the scope: status %d: %s", a.StatusCode, a.Body)
			}
		})
	}
}
