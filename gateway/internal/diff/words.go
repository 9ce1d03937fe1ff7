package diff

import (
	"fmt"
	"strings"

	"portcullis/policies/policy"
)

// whoever says in words whom a rule of a route is about.
func (r *served) whoever(p *policy.Rule) string {
	var words []string
	say := func(one, many string, names []string) {
		switch len(names) {
		case 0:
		case 1:
			words = append(words, one+" "+names[0])
		default:
			words = append(words, many+" "+strings.Join(names, ", "))
		}
	}
	say("scope", "scopes", policy.Values(p.Scopes))
	for _, c := range p.Claims {
		words = append(words, c.Name+" "+oneOf(policy.Values(c.Values)))
	}
	if p.Owner.Set {
		words = append(words, "the owner {"+p.Owner.V+"}")
	}
	if len(p.Clients) > 0 {
		words = append(words, "client "+oneOf(policy.Values(p.Clients)))
	}
	if len(p.Methods) > 0 {
		words = append(words, "method "+oneOf(policy.Values(p.Methods)))
	}
	if len(p.Networks) > 0 {
		words = append(words, "network "+oneOf(policy.Values(p.Networks)))
	}
	if len(p.Hours) > 0 {
		var spans []string
		for _, h := range p.Hours {
			spans = append(spans, span(h))
		}
		words = append(words, "hours "+oneOf(spans))
	}
	if p.When.Set {
		words = append(words, "when "+strings.Join(strings.Fields(p.When.V), " "))
	}
	switch {
	case len(words) > 0:
		return strings.Join(words, " and ")
	case !p.Anyone.V:
		return "nobody"
	case r.authenticated():
		return "every caller with a token"
	default:
		return "everyone"
	}
}

// open says in words whom a route lets in.
func (r *served) open() string {
	if r == nil {
		return "no route"
	}
	var who []string
	for _, p := range r.Allow {
		if enforced(p.Mode) {
			who = append(who, r.whoever(p))
		}
	}
	if len(who) == 0 {
		return "nobody"
	}
	if more := len(who) - shown; more > 0 {
		who = append(who[:shown], fmt.Sprintf("%d more", more))
	}
	return strings.Join(who, "; or ")
}

func oneOf(names []string) string { return strings.Join(names, " or ") }
