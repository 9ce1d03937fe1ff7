package diff

import (
	"slices"
	"strconv"
	"strings"

	"portcullis/policies/policy"
)

// asker turns the rules of one route into formulas.
type asker struct {
	*variables
	side   int // 0 old, 1 new
	route  *served
	method string // that its rules are asked about
}

// rule is a rule with its formula.
type rule struct {
	*policy.Rule
	matches expr
}

// rules are those that decide: what is in shadow does not. One that errs comes to
// onError.
func (a asker) rules(list []*policy.Rule, onError truth) []rule {
	var out []rule
	for _, r := range list {
		if enforced(r.Mode) {
			out = append(out, rule{r, settled{a.rule(r), onError}})
		}
	}
	return out
}

// rule is the formula of one rule: all that it names holds.
func (a asker) rule(r *policy.Rule) expr {
	var all and
	for _, s := range r.Scopes {
		all = append(all, a.scope(s.V))
	}
	for _, c := range r.Claims {
		all = append(all, a.claim(c))
	}
	if r.Owner.Set {
		all = append(all, a.owner(r.Owner.V))
	}
	if len(r.Clients) > 0 {
		all = append(all, a.text(a.side, a.key("token.client"), false, policy.Values(r.Clients)...).present())
	}
	if len(r.Methods) > 0 {
		all = append(all, constant(truthOf(slices.Contains(policy.Values(r.Methods), a.method))))
	}
	if len(r.Networks) > 0 {
		all = append(all, a.networks(r.Networks))
	}
	if len(r.Hours) > 0 {
		all = append(all, a.hours(a.side, r.Hours))
	}
	if r.When.Set {
		all = append(all, a.when(r.When.V))
	}
	if len(all) == 0 && !r.Anyone.V {
		return constant(isFalse) // a rule that names nothing matches nothing
	}
	return all
}

func (a asker) scope(name string) expr {
	return a.truth(a.side, a.key("scope "+name), false, false)
}

// owner compares the segment at the parameter's place, so that its name does
// not matter.
func (a asker) owner(param string) expr {
	at, known := a.route.path.positions()[param]
	if !known {
		return constant(isFalse)
	}
	return a.truth(a.side, a.key("owner of segment "+strconv.Itoa(at)), false, false)
}

// claim asks the same variables as conditions in CEL on the same claim do.
func (a asker) claim(c policy.ClaimIs) expr {
	key := a.key("token." + c.Name)
	var one or
	switch a.route.side.claims[c.Name] {
	case "texts":
		for _, v := range c.Values {
			one = append(one, a.truth(a.side, key+" holds "+v.V, true, false).present())
		}
	case "truth":
		for _, v := range c.Values {
			is := a.truth(a.side, key, true, false)
			if v.V != "true" {
				is.of = contrary(is.of)
			}
			one = append(one, is.present())
		}
	case "number":
		for _, v := range c.Values {
			n, err := strconv.ParseInt(v.V, 10, 64)
			if err != nil {
				return a.unreadable(c.Name + " " + v.V)
			}
			one = append(one, a.number(a.side, key, true, n, equal).present())
		}
	default:
		return a.text(a.side, key, true, policy.Values(c.Values)...).present()
	}
	return one
}

func equal(a, b int64) bool { return a == b }

func contrary(of func(fact) truth) func(fact) truth {
	return func(f fact) truth { return not{constant(of(f))}.eval(nil) }
}

// key keeps apart what a route knows of its caller from what one knows that
// does not ask who calls.
func (a asker) key(name string) string {
	if !a.route.authenticated() {
		return "nobody's " + name
	}
	return name
}

// unreadable is a condition that is the same on the other side only where all
// is the same that it may speak of.
func (a asker) unreadable(text string) expr {
	r := a.route
	return a.truth(a.side, a.key(strings.Join([]string{
		"as written", text, a.method, r.path.String(), r.Route.Name.V, r.Effective.Upstream.V, r.side.issuerNames(), r.side.declared(),
	}, "\n")), true, true)
}
