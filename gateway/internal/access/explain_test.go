package access_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/pipeline"
)

func TestEachConditionIsExplainedInWords(t *testing.T) {
	t.Parallel()
	holds, fails, broken := pipeline.Holds, pipeline.Fails, pipeline.Broken
	for name, c := range map[string]struct {
		rule access.Rule
		want []pipeline.Reason
	}{
		"anyone": {access.Rule{Anyone: true, Place: "rules.yaml:1"}, []pipeline.Reason{
			{Text: "anyone", State: holds, Place: "rules.yaml:1"}}},
		"each scope by itself": {access.Rule{Scopes: texts("notes:read", "notes:write")}, []pipeline.Reason{
			{Text: "scopes has notes:read", State: holds, Value: `"notes:read search:read"`, Place: "rules.yaml:1"},
			{Text: "scopes has notes:write", State: fails, Value: `"notes:read search:read"`, Place: "rules.yaml:1", Mend: "scope notes:write"}}},
		"the owner": {access.Rule{Owner: text("guest")}, []pipeline.Reason{
			{Text: "subject is the guest of the path", State: holds, Value: `subject "g-7", guest "g-7"`, Place: "rules.yaml:1"}}},
		"clients": {access.Rule{Clients: texts("desk", "web", "app")}, []pipeline.Reason{
			{Text: "client is desk, web or app", State: fails, Value: `"kiosk"`, Place: "rules.yaml:1", Mend: "client desk, web or app"}}},
		"methods": {access.Rule{Methods: texts("POST")}, []pipeline.Reason{
			{Text: "method is POST", State: fails, Value: `"GET"`, Place: "rules.yaml:1", Mend: "method POST"}}},
		"networks": {access.Rule{Networks: nets("10.0.0.0/8", "192.0.3.0/24")}, []pipeline.Reason{
			{Text: "source is in 10.0.0.0/8 or 192.0.3.0/24", State: fails, Value: "192.0.2.7", Place: "rules.yaml:2", Mend: "source in 10.0.0.0/8 or 192.0.3.0/24"}}},
		"hours": {access.Rule{Hours: []access.Span{span("mon", 8*time.Hour, 9*time.Hour, time.UTC)}}, []pipeline.Reason{
			{Text: "now is in mon", State: fails, Value: "Wed 12:30 UTC", Place: "rules.yaml:4", Mend: "the time in mon"}}},
		"claims": {access.Rule{Claims: []access.Claim{
			{Name: "tenant", Type: token.ClaimText, Values: texts("zeta"), Place: "rules.yaml:5"},
			{Name: "groups", Type: token.ClaimTexts, Values: texts("admin", "staff"), Place: "rules.yaml:6"},
			{Name: "floor", Type: token.ClaimNumber, Values: texts("1"), Place: "rules.yaml:7"},
			{Name: "odd", Type: token.ClaimTruth, Values: texts("true"), Place: "rules.yaml:8"},
		}}, []pipeline.Reason{
			{Text: "claim tenant is zeta", State: fails, Value: `"acme"`, Place: "rules.yaml:5", Mend: "tenant is zeta"},
			{Text: "claim groups has admin or staff", State: holds, Value: `"staff night"`, Place: "rules.yaml:6"},
			{Text: "claim floor is 1", State: fails, Value: "absent", Place: "rules.yaml:7", Mend: "floor is 1"},
			{Text: "claim odd is true", State: broken, Value: "of another type than truth", Place: "rules.yaml:8", Mend: "odd is true"}}},
		"a condition by its conjuncts": {access.Rule{When: cel(t, "token.sub == params.guest && request.query.page == '3' && request.headers['x-secret'] != 'hush'")}, []pipeline.Reason{
			{Text: "token.sub == params.guest", State: holds, Value: `token.sub = "g-7", params.guest = "g-7"`, Place: "rules.yaml:3:10"},
			{Text: `request.query.page == "3"`, State: fails, Value: `request.query["page"] = "2"`, Place: "rules.yaml:3:10", Mend: `request.query.page == "3"`},
			{Text: `request.headers["x-secret"] != "hush"`, State: fails, Value: `request.headers["x-secret"] (not shown)`, Place: "rules.yaml:3:10", Mend: `request.headers["x-secret"] != "hush"`}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx := asked()
			tx.Principal.Claims["odd"] = nil
			got := authorize(t, []access.Rule{c.rule}, nil).Explain(tx, pipeline.Decision{})
			if diff := cmp.Diff(c.want, got[0].Under); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNobodyIsExplainedAsNobody(t *testing.T) {
	t.Parallel()
	tx := asked()
	tx.Principal = nil
	rule := access.Rule{Scopes: texts("a"), Clients: texts("b"), Owner: text("guest"), Claims: []access.Claim{{Name: "tenant", Values: texts("acme")}}}
	for _, r := range authorize(t, []access.Rule{rule}, nil).Explain(tx, pipeline.Decision{})[0].Under {
		if r.Value != "nobody" || r.State != pipeline.Fails {
			t.Errorf("%+v", r)
		}
	}
}

// A caller chooses what stands in a path; it must not look like our own words.
func TestWhatCallersChooseIsQuotedAndCut(t *testing.T) {
	t.Parallel()
	tx := asked()
	tx.Params[0].Value = "x\n✓ " + strings.Repeat("y", 5000)
	got := authorize(t, []access.Rule{{Owner: text("guest")}}, nil).Explain(tx, pipeline.Decision{})[0].Under[0]
	if strings.Contains(got.Value+got.Mend, "\n") || len(got.Value) > 300 {
		t.Errorf("%+v", got)
	}
}

// lines are the rules of an explanation, one each.
func lines(reasons []pipeline.Reason) []string {
	var out []string
	for _, r := range reasons {
		line := r.Text + " " + r.State.String()
		if r.Value != "" {
			line += ": " + r.Value
		}
		if r.Mend != "" {
			line += "; wants " + r.Mend
		}
		if r.Shadow {
			line += " (shadow)"
		}
		out = append(out, line)
	}
	return out
}

func TestRulesAreExplainedInTheOrderTheyAreAsked(t *testing.T) {
	t.Parallel()
	read, admin := access.Rule{Name: "read", Scopes: texts("notes:read")}, access.Rule{Name: "allow[0]", Scopes: texts("admin"), Clients: texts("desk")}
	kiosk, desk := access.Rule{Name: "kiosk", Clients: texts("kiosk")}, access.Rule{Name: "deny[0]", Clients: texts("desk")}
	shadow, odd := kiosk, access.Rule{Name: "odd", When: cel(t, "token.level == 1")}
	shadow.Shadow = true
	for name, c := range map[string]struct {
		allow, deny []access.Rule
		want        []string
	}{
		"the first allow rule that matches is the last asked": {[]access.Rule{admin, read, {Name: "open", Anyone: true}}, []access.Rule{desk}, []string{
			"deny[0] holds: does not match",
			"allow[0] fails: does not match; wants client desk and scope admin",
			"allow read holds: matches",
			"allow open unasked",
		}},
		"a deny rule that matches ends it": {[]access.Rule{read}, []access.Rule{desk, kiosk}, []string{
			"deny[0] holds: does not match", "deny kiosk fails: matches; wants one of its conditions did not hold", "allow read unasked",
		}},
		"one that cannot be told ends it too": {[]access.Rule{read}, []access.Rule{odd}, []string{
			"deny odd broken: cannot be evaluated; wants one of its conditions did not hold", "allow read unasked",
		}},
		"but allows nothing": {[]access.Rule{odd}, nil, []string{
			"allow odd broken: cannot be evaluated; wants token.level == 1",
		}},
		"one in shadow is told and ends nothing": {[]access.Rule{read}, []access.Rule{shadow}, []string{
			"deny kiosk fails: matches; wants one of its conditions did not hold (shadow)", "allow read holds: matches",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx := asked()
			tx.Principal.Claims = nil
			got := authorize(t, c.allow, c.deny).Explain(tx, pipeline.Decision{})
			if diff := cmp.Diff(c.want, lines(got)); diff != "" {
				t.Error(diff)
			}
			if len(tx.Shadows) != 0 || tx.Rule != "" {
				t.Errorf("explaining changes the request: %v, %q", tx.Shadows, tx.Rule)
			}
		})
	}
}
