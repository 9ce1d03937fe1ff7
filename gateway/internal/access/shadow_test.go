package access_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/access"
	"portcullis/gateway/internal/pipeline"
)

// tally counts.
type tally int

func (t *tally) Inc() { *t++ }

func TestShadowRulesTellWhatTheyWouldHaveDone(t *testing.T) {
	t.Parallel()
	read, open, kiosk := access.Rule{Scopes: texts("notes:read")}, access.Rule{Anyone: true}, access.Rule{Clients: texts("kiosk")}
	shadow := func(name string, r access.Rule) access.Rule {
		r.Name, r.Place, r.Shadow = name, "rules.yaml:9", true
		return r
	}
	broken := shadow("deny[0]", access.Rule{When: cel(t, "token.level == 1")})
	never := access.Rule{Scopes: texts("admin")}
	would := func(name string, kind pipeline.Kind) []pipeline.Shadow {
		return []pipeline.Shadow{{Stage: "authorize", Rule: name, Place: "rules.yaml:9", Would: kind}}
	}
	for name, c := range map[string]struct {
		allow, deny []access.Rule
		change      func(*pipeline.Transaction)
		want        []pipeline.Shadow
	}{
		"a deny rule would have denied what is allowed":             {[]access.Rule{read}, []access.Rule{shadow("no-kiosk", kiosk)}, nil, would("no-kiosk", pipeline.Deny)},
		"one that does not match would have done nothing":           {[]access.Rule{read}, []access.Rule{shadow("no-desk", access.Rule{Clients: texts("desk")})}, nil, nil},
		"one that cannot be told would have denied":                 {[]access.Rule{read}, []access.Rule{broken}, func(tx *pipeline.Transaction) { tx.Principal.Claims = nil }, would("deny[0]", pipeline.Deny)},
		"what is denied anyway is no news":                          {[]access.Rule{never}, []access.Rule{shadow("no-kiosk", kiosk)}, nil, nil},
		"an allow rule would have allowed what none does":           {[]access.Rule{never, shadow("wider", open)}, nil, nil, would("wider", pipeline.Allow)},
		"not what a deny rule refuses, since deny beats allow":      {[]access.Rule{never, shadow("wider", open)}, []access.Rule{kiosk}, nil, nil},
		"what is allowed anyway is no news either":                  {[]access.Rule{read, shadow("wider", open)}, nil, nil, nil},
		"an allow rule that cannot be told would have done nothing": {[]access.Rule{never, shadow("tenant", access.Rule{When: cel(t, "token.level == 1")})}, nil, func(tx *pipeline.Transaction) { tx.Principal.Claims = nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var counted tally
			for _, list := range [][]access.Rule{c.allow, c.deny} {
				for i := range list {
					if list[i].Shadow {
						list[i].Count = &counted
					}
				}
			}
			tx := asked()
			if c.change != nil {
				c.change(tx)
			}
			_ = authorize(t, c.allow, c.deny).Decide(tx)
			for i := range tx.Shadows {
				tx.Shadows[i].Count = nil
			}
			if diff := cmp.Diff(c.want, tx.Shadows); diff != "" {
				t.Error(diff)
			}
			if int(counted) != len(c.want) {
				t.Errorf("counted %d", counted)
			}
		})
	}
}
