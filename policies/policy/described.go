package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	timesMost = 10_000
	everyMost = 24 * time.Hour
)

// tests checks that described requests can be sent, and that what is expected
// of them can be.
func (v *validator) tests() {
	first := map[string]Pos{}
	known := v.rulesByName()
	for _, t := range v.doc.Tests {
		if other, twice := first[t.Name.V]; twice && t.Name.Set {
			v.report(t.Name.Pos, CodeDuplicate, fmt.Sprintf("two tests are named %q", t.Name.V), "the other is at "+other.String(), "give one of them another name")
		}
		first[t.Name.V] = t.Name.Pos
		v.sent(t)
		v.expected(&t.Expect, known)
	}
}

func (v *validator) sent(t *Test) {
	wrong := func(at Pos, what, hint string) { v.report(at, CodeTest, what, "", hint) }
	method, target, _ := strings.Cut(t.Send.V, " ")
	if t.Send.Set && (!isToken(method) || !strings.HasPrefix(target, "/") || strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f })) {
		wrong(t.Send.Pos, fmt.Sprintf("%q is not a method and a target", t.Send.V), "write GET /v1/hotels?city=Helsinki; a space in it is %20")
	}
	if t.Host.Set && strings.ContainsFunc(t.Host.V, func(r rune) bool { return r <= ' ' || r > '~' }) {
		wrong(t.Host.Pos, fmt.Sprintf("%q cannot be sent as a host", t.Host.V), "write api.hotel.test")
	}
	if _, err := netip.ParseAddr(t.From.V); t.From.Set && err != nil {
		wrong(t.From.Pos, fmt.Sprintf("%q is not an address", t.From.V), "write 192.0.2.1")
	}
	bodies := 0
	for _, set := range []bool{t.JSON != nil, t.Form.Set, t.Body.Set} {
		if set {
			bodies++
		}
	}
	if bodies > 1 {
		wrong(t.Pos, fmt.Sprintf("test %q has several bodies", t.Name.V), "keep one of json, form and body")
	}
	v.testFields(t.Header)
	for _, f := range t.Header {
		if f.Name == "Host" || f.Name == "Content-Length" || f.Name == "Transfer-Encoding" {
			wrong(f.Pos, fmt.Sprintf("the field %s follows from host and body", f.Name), "leave it out")
		}
	}
	v.claimsOf(t)
	v.count(t.Times, 1, timesMost)
	v.duration(t.Every, 0, everyMost)
	v.count(t.Answer.Status, 200, 599)
	v.testFields(t.Answer.Header)
}

// claimsOf checks the claims whose meaning the description of a token changes.
func (v *validator) claimsOf(t *Test) {
	issuer, named := t.As["iss"].(string)
	isURL := strings.Contains(issuer, "://") // one nobody knows
	if named && !isURL && !slices.Contains(v.issuers, issuer) && !v.doc.partial {
		v.report(t.Pos, CodeUnknownName, fmt.Sprintf("test %q has a token of the issuer %q, and there is none", t.Name.V, issuer), didYouMean(issuer, v.issuers),
			"issuers are named under issuers: in any policy file; the URL of one nobody knows may stand here")
	}
	for _, claim := range []string{"exp", "iat", "nbf"} {
		text, isText := t.As[claim].(string)
		if _, err := time.ParseDuration(text); isText && err != nil {
			v.report(t.Pos, CodeTest, fmt.Sprintf("%s is %q in test %q, which is not a duration", claim, text, t.Name.V), "", "write how far it is from now: -1m, 1h")
		}
	}
}

// testFields checks the fields of a description.
func (v *validator) testFields(fields []Field) {
	for _, f := range fields {
		v.fieldName(f.Pos, f.Name)
		if strings.ContainsFunc(f.Value.V, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			v.report(f.Value.Pos, CodeTest, fmt.Sprintf("%q cannot be sent in a field", f.Value.V), "", "without line breaks and other control characters")
		}
	}
}

func (v *validator) expected(e *Expect, rules []string) {
	v.count(e.Status, 100, 599)
	v.refers(e.Route, "route", "routes", v.routes)
	v.refers(e.Limit, "limit", "limits", v.limits)
	if e.Rule.Set && !isRuleID(e.Rule.V) && !slices.Contains(rules, e.Rule.V) && !v.doc.partial {
		v.report(e.Rule.Pos, CodeUnknownName, fmt.Sprintf("there is no rule %q", e.Rule.V), didYouMean(e.Rule.V, rules), "write the rule's name, allow[0], deny[1], or the id of a rule of the Core Rule Set or of a patch")
	}
	for _, s := range e.Shadow {
		v.shadowed(s, rules)
	}
	v.testFields(e.Header)
	if f := e.Forwards; f != nil {
		v.refers(f.Upstream, "upstream", "upstreams", v.upstreams)
		v.testFields(f.Header)
	}
	nothing := !e.Decision.Set && !e.Status.Set && !e.Stage.Set && !e.Route.Set && !e.Rule.Set && !e.Limit.Set && !e.Code.Set && !e.ShadowSet && len(e.Header) == 0 && e.Forwards == nil
	if nothing && e.Pos.Line > 0 && !v.doc.partial {
		v.report(e.Pos, CodeTest, "a test that expects nothing cannot fail", "", "write what must come of it: {decision: deny, stage: authorize}")
	}
}

// shadowed checks the name of something in shadow.
func (v *validator) shadowed(s Value[string], rules []string) {
	known := slices.Concat(rules, v.limits, v.wafs, []string{"validate"})
	profile, isWAF := strings.CutPrefix(s.V, "waf:")
	if profile, id, _ := strings.Cut(profile, ":"); isWAF && slices.Contains(v.wafs, profile) && (id == "" || isRuleID(id)) {
		return
	}
	if !slices.Contains(known, s.V) && !v.doc.partial {
		v.report(s.Pos, CodeUnknownName, fmt.Sprintf("nothing in shadow is called %q", s.V), didYouMean(s.V, known), "write the name of a rule or limit, deny[0], waf:PROFILE:RULEID, or validate")
	}
}

// rulesByName lists what rules may be called.
func (v *validator) rulesByName() []string {
	var names []string
	seen := map[string]bool{}
	add := func(kind string, list []*Rule) {
		for i, rule := range list {
			if name := rule.Called(kind, i); !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	for _, r := range v.doc.Routes {
		add("allow", r.Allow)
		add("deny", r.Deny)
	}
	return names
}

// isRuleID reports whether s is the id of a rule of the Core Rule Set or of a
// patch.
func isRuleID(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 900_000 && n <= lastPatch
}
