package access_test

import (
	"errors"
	"testing"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

func TestAuthorize(t *testing.T) {
	t.Parallel()
	own := access.Rule{Label: "own", Scopes: texts("reservations:read"), Owner: text("guest")}
	anyOf := access.Rule{Label: "any", Scopes: texts("reservations:read-any")}
	kiosk := access.Rule{Label: "kiosk", Clients: texts("kiosk")}
	cases := map[string]struct {
		allow, deny []access.Rule
		principal   *token.Principal
		wantCode    problem.Code
		wantRule    string
		wantScope   string
	}{
		"the owner with the scope may": {
			allow: []access.Rule{own}, principal: &token.Principal{Subject: "g-7", Scopes: []string{"reservations:read"}}, wantRule: "own",
		},
		"another guest with the scope may not": {
			allow: []access.Rule{own}, principal: &token.Principal{Subject: "g-9", Scopes: []string{"reservations:read"}}, wantCode: problem.Forbidden,
		},
		"a subject that is empty owns nothing": {
			allow: []access.Rule{own}, principal: &token.Principal{Scopes: []string{"reservations:read"}}, wantCode: problem.Forbidden,
		},
		"the owner without the scope is told which": {
			allow: []access.Rule{own}, principal: &token.Principal{Subject: "g-7"}, wantCode: problem.InsufficientScope, wantScope: `Bearer realm="portcullis", error="insufficient_scope", scope="reservations:read"`,
		},
		"one matching allow rule is enough": {
			allow: []access.Rule{own, anyOf}, principal: &token.Principal{Subject: "desk", Scopes: []string{"reservations:read-any"}}, wantRule: "any",
		},
		"deny beats allow": {
			allow: []access.Rule{own}, deny: []access.Rule{kiosk},
			principal: &token.Principal{Subject: "g-7", Client: "kiosk", Scopes: []string{"reservations:read"}}, wantCode: problem.Forbidden, wantRule: "kiosk",
		},
		"a deny rule asks for everything it names": {
			allow: []access.Rule{own}, deny: []access.Rule{{Label: "kiosk-admin", Clients: texts("kiosk"), Scopes: texts("admin")}},
			principal: &token.Principal{Subject: "g-7", Client: "kiosk", Scopes: []string{"reservations:read"}}, wantRule: "own",
		},
		"a deny rule for anyone refuses everybody": {
			allow: []access.Rule{{Label: "open", Anyone: true}}, deny: []access.Rule{{Label: "closed", Anyone: true}}, wantCode: problem.Forbidden, wantRule: "closed",
		},
		"a scope that only begins alike is another": {
			allow: []access.Rule{anyOf}, principal: &token.Principal{Subject: "g-7", Scopes: []string{"reservations:read", "reservations:read-any-more"}},
			wantCode: problem.InsufficientScope, wantScope: `Bearer realm="portcullis", error="insufficient_scope", scope="reservations:read-any"`,
		},
		"another client lacks more than a scope": {
			allow: []access.Rule{kiosk}, principal: &token.Principal{Subject: "g-7", Client: "demo"}, wantCode: problem.Forbidden,
		},
		"a scope is not asked for where something cannot be told": {
			allow: []access.Rule{{Scopes: texts("admin"), When: cel(t, "token.level == 5")}}, principal: &token.Principal{Subject: "g-7"}, wantCode: problem.Forbidden,
		},
		"nobody is not anyone": {
			allow: []access.Rule{anyOf}, wantCode: problem.Forbidden,
		},
		"anyone is everybody": {
			allow: []access.Rule{{Label: "open", Anyone: true}}, wantRule: "open",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stage, err := access.NewAuthorize(c.allow, c.deny)
			if err != nil {
				t.Fatal(err)
			}
			tx := &pipeline.Transaction{Principal: c.principal, Params: pipeline.Params{{Name: "guest", Value: "g-7"}}}
			if name == "a subject that is empty owns nothing" {
				tx.Params[0].Value = ""
			}
			err = stage.Decide(tx)
			var code problem.Code
			var scope string
			if p, ok := errors.AsType[*problem.Problem](err); ok {
				code, scope = p.Code, p.Header.Get("WWW-Authenticate")
			}
			if code != c.wantCode || tx.Rule != c.wantRule || scope != c.wantScope {
				t.Errorf("got code %q, rule %q, challenge %q; want %q, %q, %q", code, tx.Rule, scope, c.wantCode, c.wantRule, c.wantScope)
			}
		})
	}
}

func TestNewAuthorizeRefusesRulesThatCannotHold(t *testing.T) {
	t.Parallel()
	for name, allow := range map[string][]access.Rule{
		"no allow rule at all":            nil,
		"a rule that names nothing":       {{Label: "empty"}},
		"allow rules that are all shadow": {{Label: "open", Anyone: true, Shadow: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := access.NewAuthorize(allow, nil); err == nil {
				t.Error("accepted")
			}
		})
	}
}
