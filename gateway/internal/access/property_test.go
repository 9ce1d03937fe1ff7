package access_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/pipeline"
)

// expressions are conditions of every outcome, compiled once for all drawn
// rules.
func expressions(t *testing.T) []*access.When {
	var out []*access.When
	for _, text := range []string{
		"token.tenant == 'acme'", "token.level > 3 && token.tenant != 'zeta'", "token.client == 'kiosk' || token.level == 1",
		"request.headers['x-a'] == 'b'", "params.guest == token.sub", "request.query['page'] == '2' && 'search:read' in token.scopes", "true", "false",
	} {
		out = append(out, cel(t, text))
	}
	return out
}

func drawRules(t *rapid.T, whens []*access.When, kind string) []access.Rule {
	maybe := func(of ...string) []access.Text {
		return texts(rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 2, rapid.ID).Draw(t, "values")...)
	}
	rules := make([]access.Rule, rapid.IntRange(0, 3).Draw(t, kind))
	for i := range rules {
		r := access.Rule{
			Name: fmt.Sprintf("%s[%d]", kind, i), Label: fmt.Sprintf("%s %d", kind, i), Shadow: rapid.Bool().Draw(t, "shadow"),
			Methods: maybe("GET", "POST"), Clients: maybe("kiosk", "desk"), Scopes: maybe("notes:read", "admin"),
		}
		if rapid.Bool().Draw(t, "owner") {
			r.Owner = text("guest")
		}
		if rapid.Bool().Draw(t, "network") {
			r.Networks = nets(rapid.SampledFrom([]string{"192.0.2.0/24", "10.0.0.0/8"}).Draw(t, "network"))
		}
		if rapid.Bool().Draw(t, "hours") {
			r.Hours = []access.Span{span("wed", 12*time.Hour, rapid.SampledFrom([]time.Duration{11, 13}).Draw(t, "end")*time.Hour, time.UTC)}
		}
		if rapid.Bool().Draw(t, "claim") {
			r.Claims = []access.Claim{{Name: "tenant", Type: token.ClaimText, Values: maybe("acme", "zeta"), Place: "rules.yaml:5"}}
		}
		if rapid.Bool().Draw(t, "when") {
			r.When = rapid.SampledFrom(whens).Draw(t, "expression")
		}
		r.Anyone = rapid.IntRange(0, 9).Draw(t, "anyone") == 0 || len(r.Methods)+len(r.Clients)+len(r.Scopes)+len(r.Networks)+len(r.Hours)+len(r.Claims) == 0 && r.Owner.V == "" && r.When == nil
		rules[i] = r
	}
	return rules
}

func drawRequest(t *rapid.T) *pipeline.Transaction {
	tx := asked()
	tx.Request.Method = rapid.SampledFrom([]string{"GET", "HEAD", "POST"}).Draw(t, "method")
	tx.Source = rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")}).Draw(t, "source")
	tx.Request.Header["X-A"] = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 2).Draw(t, "header")
	if rapid.IntRange(0, 4).Draw(t, "nobody") == 0 {
		tx.Principal = nil
		return tx
	}
	p := tx.Principal
	p.Client, p.Subject = rapid.SampledFrom([]string{"kiosk", "web"}).Draw(t, "client"), rapid.SampledFrom([]string{"g-7", "g-9"}).Draw(t, "subject")
	p.Scopes = rapid.SampledFrom([][]string{nil, {"notes:read"}, {"admin", "notes:read", "search:read"}}).Draw(t, "scopes")
	p.Claims = rapid.SampledFrom([]map[string]any{nil, {"tenant": nil}, {"tenant": "acme", "level": int64(5)}, {"tenant": "zeta", "level": nil}}).Draw(t, "claims")
	return tx
}

func shadowless(rules []access.Rule) []access.Rule {
	var out []access.Rule
	for _, r := range rules {
		if !r.Shadow {
			out = append(out, r)
		}
	}
	return out
}

// verdict is what an explanation comes to.
func verdict(reasons []pipeline.Reason, allows map[string]bool) pipeline.Kind {
	for _, r := range reasons {
		switch {
		case r.Shadow:
		case !allows[r.Text] && (r.State == pipeline.Fails || r.State == pipeline.Broken):
			return pipeline.Deny
		case allows[r.Text] && r.State == pipeline.Holds:
			return pipeline.Allow
		}
	}
	return pipeline.Deny
}

func TestAnExplanationComesToWhatIsDecided(t *testing.T) {
	t.Parallel()
	whens := expressions(t)
	rapid.Check(t, func(t *rapid.T) {
		allow, deny := drawRules(t, whens, "allow"), drawRules(t, whens, "deny")
		stage, err := access.NewAuthorize(allow, deny)
		if err != nil {
			return
		}
		tx := drawRequest(t)
		tx.Route.Stages = []pipeline.Stage{stage}
		d := pipeline.Decide(tx)
		allows := map[string]bool{}
		for _, r := range allow {
			allows[r.Name] = true
		}
		explained := pipeline.Explain(tx, d)[0]
		if got := verdict(explained.Under, allows); got != d.Kind || (explained.State == pipeline.Holds) != (d.Kind == pipeline.Allow) {
			t.Fatalf("decided %v, explained %v: %+v", d.Kind, got, explained)
		}
		// A rule's state is that of its conditions.
		for _, r := range explained.Under {
			all := pipeline.Holds
			for _, c := range r.Under {
				if all == pipeline.Holds || c.State == pipeline.Fails {
					all = c.State
				}
			}
			want := map[pipeline.State]string{pipeline.Holds: "matches", pipeline.Fails: "does not match", pipeline.Broken: "cannot be evaluated"}[all]
			if r.State != pipeline.Unasked && r.Value != want {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func TestRulesInShadowChangeNoAnswer(t *testing.T) {
	t.Parallel()
	whens := expressions(t)
	rapid.Check(t, func(t *rapid.T) {
		allow, deny := drawRules(t, whens, "allow"), drawRules(t, whens, "deny")
		with, err := access.NewAuthorize(allow, deny)
		if err != nil {
			return
		}
		without, err := access.NewAuthorize(shadowless(allow), shadowless(deny))
		if err != nil {
			t.Fatal(err)
		}
		tx := drawRequest(t)
		decide := func(stage pipeline.Stage) (pipeline.Decision, *pipeline.Transaction) {
			one := &pipeline.Transaction{Request: tx.Request, Start: tx.Start, Host: tx.Host, Path: tx.Path, Params: tx.Params, Source: tx.Source, Principal: tx.Principal}
			one.Route = &pipeline.Route{Name: tx.Route.Name, Methods: tx.Route.Methods, Stages: []pipeline.Stage{stage}}
			return pipeline.Decide(one), one
		}
		a, txA := decide(with)
		b, txB := decide(without)
		if diff := cmp.Diff(b, a); diff != "" {
			t.Fatalf("rules in shadow change the decision: %s", diff)
		}
		if txA.Rule != txB.Rule || cmp.Diff(txB.Header, txA.Header) != "" || len(txB.Shadows) > 0 {
			t.Fatalf("%q and %q, %v", txA.Rule, txB.Rule, txB.Shadows)
		}
	})
}
