package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rules checks who may. With no allow rule nobody may: a route nobody can use
// is never what was meant.
func (v *validator) rules(r *Route) {
	enforced := slices.ContainsFunc(r.Allow, func(rule *Rule) bool { return !rule.watches() })
	switch {
	case len(r.Allow) == 0 && !v.doc.partial:
		v.report(r.Pos, CodeNobody, fmt.Sprintf("route %q allows nobody", r.Name.V), "", "what no allow rule matches is denied; add allow: with at least one rule")
	case len(r.Allow) > 0 && !enforced:
		v.report(r.Allow[0].Mode.Pos, CodeNobody, fmt.Sprintf("route %q allows nobody", r.Name.V), "all its allow rules are in shadow", "what is in shadow lets nobody pass; keep one allow rule in force")
	}
	names := map[string]Pos{}
	for _, rule := range slices.Concat(r.Allow, r.Deny) {
		v.rule(r, rule)
		if n := rule.Name; n.Set {
			v.ruleName(r, n, names)
		}
	}
}

func (v *validator) ruleName(r *Route, n Value[string], names map[string]Pos) {
	if !isName(n.V) {
		v.badName(n, "rule")
	}
	if first, twice := names[n.V]; twice {
		v.report(n.Pos, CodeDuplicate, fmt.Sprintf("two rules of route %q are named %q", r.Name.V, n.V), "the other is at "+first.String(), "give one of them another name")
	}
	names[n.V] = n.Pos
}

func (v *validator) rule(r *Route, rule *Rule) {
	wrong := func(at Pos, what, hint string) { v.report(at, CodeRule, what, "", hint) }
	v.scopes(rule.Scopes)
	for _, c := range rule.Clients {
		v.visible(c, "a client")
	}
	v.ruleMethods(r, rule)
	for _, n := range rule.Networks {
		v.network(n, "is everyone", "leave networks out, or name those you mean")
	}
	v.ruleClaims(r, rule)
	v.owner(r, rule)
	asks := len(rule.Scopes) > 0 || len(rule.Claims) > 0 || rule.Owner.Set || len(rule.Clients) > 0
	conditions := asks || len(rule.Methods) > 0 || len(rule.Networks) > 0 || len(rule.Hours) > 0 || rule.When.Set
	switch {
	case rule.Anyone.Set && !rule.Anyone.V:
		wrong(rule.Anyone.Pos, "anyone: false says nothing", "leave it out")
	case rule.Anyone.Set && conditions:
		wrong(rule.Anyone.Pos, "a rule for anyone has conditions", "leave out anyone, or the conditions")
	case rule.Anyone.Set && !rule.Reason.Set:
		v.report(rule.Anyone.Pos, CodeReason, "a rule for anyone has no reason", "", "add reason: why every request may match")
	case !rule.Anyone.Set && !conditions && !v.doc.partial:
		wrong(rule.Pos, "a rule without a condition", "name scopes, claims, owner, clients, methods, networks, hours or when; or anyone: true with a reason")
	case asks && r.NoAuthenticate.Set:
		wrong(rule.Pos, fmt.Sprintf("the rule asks who calls, and route %q does not authenticate", r.Name.V), "authenticate, or use anyone: true with a reason")
	}
}

func (v *validator) owner(r *Route, rule *Rule) {
	_, path := SplitMatch(r.Match.V)
	if !rule.Owner.Set || !r.Match.Set || slices.Contains(cut(path), "{"+rule.Owner.V+"}") {
		return
	}
	v.report(rule.Owner.Pos, CodeUnknownName, fmt.Sprintf("route %q has no path parameter %q", r.Name.V, rule.Owner.V),
		didYouMean(rule.Owner.V, cut(path).params()), fmt.Sprintf("it matches %s", r.Match.V))
}

// ruleMethods finds methods that no request has by the time a rule is asked. A
// HEAD that a route serves as its GET is GET to rules, so that HEAD beside GET
// adds nothing, and HEAD without it would never match.
func (v *validator) ruleMethods(r *Route, rule *Rule) {
	served, _ := SplitMatch(r.Match.V)
	if slices.Contains(served, "GET") && slices.ContainsFunc(rule.Methods, func(m Value[string]) bool { return m.V == "GET" }) {
		served = append(served, "HEAD")
	}
	for _, m := range rule.Methods {
		if !r.Match.Set || slices.Contains(served, m.V) {
			continue
		}
		why := didYouMean(m.V, served)
		if m.V == "HEAD" && slices.Contains(served, "GET") {
			why = "a HEAD that the route serves as its GET is GET to rules"
		}
		v.report(m.Pos, CodeRule, fmt.Sprintf("no request of route %q has the method %q", r.Name.V, m.V), why, fmt.Sprintf("it matches %s", r.Match.V))
	}
}

// ruleClaims checks that the issuers of a route declare the claims its rules
// ask for, and that a claim of its type can have the values.
func (v *validator) ruleClaims(r *Route, rule *Rule) {
	if len(rule.Claims) == 0 {
		return
	}
	declared := map[string]string{}
	var names []string
	accepted := v.doc.Effective(r).Authenticate
	for _, issuer := range v.doc.Issuers {
		if !holds(accepted, issuer.Name.V) {
			continue
		}
		for _, c := range issuer.Claims {
			declared[c.Name] = c.Type.V
			names = append(names, c.Name)
		}
	}
	for _, c := range rule.Claims {
		kind, known := declared[c.Name]
		if !known {
			if !v.doc.partial && !r.NoAuthenticate.Set {
				v.report(c.Pos, CodeUnknownName, fmt.Sprintf("no issuer of route %q declares the claim %q", r.Name.V, c.Name), didYouMean(c.Name, names),
					fmt.Sprintf("declare it at its issuer: claims: {%s: text}", c.Name))
			}
			continue
		}
		for _, value := range c.Values {
			if !fits(value.V, kind) {
				v.report(value.Pos, CodeForm, fmt.Sprintf("the claim %q is a %s, which %q is not", c.Name, kind, value.V), "", "its type stands at its issuer")
			}
		}
	}
}

const (
	claimsMost = 32        // of one issuer; each is looked for in every token
	wholeMost  = 1<<53 - 1 // that JSON readers agree on (RFC 8259 section 6)
)

// fits reports whether a claim of a type can have a value.
func fits(value, kind string) bool {
	switch kind {
	case "number":
		n, err := strconv.ParseInt(value, 10, 64)
		return err == nil && strconv.FormatInt(n, 10) == value && n >= -wholeMost && n <= wholeMost
	case "truth":
		return value == "true" || value == "false"
	}
	return true
}

// claimTypes checks what issuers declare. A condition is compiled once for all
// of them, hence one type for one name.
func (v *validator) claimTypes() {
	first := map[string]Value[string]{}
	for _, issuer := range v.doc.Issuers {
		if len(issuer.Claims) > claimsMost {
			v.report(issuer.Claims[claimsMost].Type.Pos, CodeBounds, fmt.Sprintf("%d claims are more than are looked for", len(issuer.Claims)), "", fmt.Sprintf("declare at most %d", claimsMost))
		}
		for _, c := range issuer.Claims {
			switch other, known := first[c.Name]; {
			case slices.ContainsFunc(ownClaims(), func(own string) bool { return strings.EqualFold(own, c.Name) }):
				v.report(c.Type.Pos, CodeClaim, fmt.Sprintf("the claim %q cannot be declared", c.Name), "it is read as it is, or called something else here",
					"rules have scopes, owner and clients for it; conditions token.sub, token.client, token.issuer, token.actor, token.scopes")
			case !isIdentifier(c.Name):
				v.report(c.Type.Pos, CodeClaim, fmt.Sprintf("the claim %q cannot be declared", c.Name), "conditions could not name it", "up to 64 letters, digits and underscores, not beginning with a digit")
			case known && other.V != c.Type.V:
				v.report(c.Type.Pos, CodeClaim, fmt.Sprintf("the claim %q is a %s here and a %s elsewhere", c.Name, c.Type.V, other.V), "elsewhere is "+other.Pos.String(), "give it one type")
			case !known:
				first[c.Name] = c.Type
			}
		}
	}
}

// ownClaims are the names that conditions have for something else, and the
// claims that every token is read for (RFC 7519, RFC 8693, RFC 9068): a second
// reading could differ from the first.
func ownClaims() []string {
	return []string{
		"client", "issuer", "actor", "scopes", "claims",
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "act", "may_act", "lineage", "auth_time", "cnf", "client_id", "scope",
	}
}

func isIdentifier(s string) bool {
	if s == "" || len(s) > nameLongest || isDigit(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isLower(s[i]|0x20) && !isDigit(s[i]) && s[i] != '_' {
			return false
		}
	}
	return true
}
