package trial

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// Miss is one expectation that was not met.
type Miss struct {
	Pos       policy.Pos
	What      string // status, header Allow, ...
	Want, Got string
}

// misses compares what came of a request with what must.
func misses(want *policy.Expect, got Outcome) []Miss {
	var all []Miss
	text := func(what string, wanted policy.Value[string], is string) {
		if wanted.Set && wanted.V != is {
			all = append(all, Miss{wanted.Pos, what, shown(wanted.V), shown(is)})
		}
	}
	text("decision", want.Decision, got.Decision.Kind.String())
	if want.Status.Set && want.Status.V != got.Status {
		all = append(all, Miss{want.Status.Pos, "status", strconv.Itoa(want.Status.V), strconv.Itoa(got.Status)})
	}
	text("stage", want.Stage, got.Decision.Stage)
	text("route", want.Route, got.Route)
	if names := got.rules(); want.Rule.Set && !slices.Contains(names, want.Rule.V) {
		all = append(all, Miss{want.Rule.Pos, "rule", shown(want.Rule.V), listed(names)})
	}
	text("limit", want.Limit, got.limit())
	code := ""
	if got.Decision.Problem != nil {
		code = string(got.Decision.Problem.Code)
	}
	text("code", want.Code, code)
	if want.ShadowSet {
		all = append(all, shadowMisses(want, got.Shadows)...)
	}
	all = append(all, fieldMisses("header", want.Header, got.Header)...)
	if want.Forwards != nil {
		all = append(all, forwardMisses(want.Forwards, got.Forwarded)...)
	}
	return all
}

// rules are the names by which the rule that decided may be called.
func (o Outcome) rules() []string {
	d := o.Decision
	var names []string
	if d.Stage == stageInspect {
		for _, id := range o.WAFRules {
			names = append(names, strconv.Itoa(id))
		}
	}
	if name := o.deciding(); name != "" && (d.Stage == stageAuthorize || d.Kind == pipeline.Allow) {
		return append(names, name)
	}
	if d.Rule != "" {
		names = append(names, d.Rule)
	}
	return names
}

// deciding is the name of the enforced rule that let pass or refused.
func (o Outcome) deciding() string {
	if o.Explained == nil {
		return ""
	}
	for _, stage := range o.Explained.Tree {
		if stage.Text != stageAuthorize {
			continue
		}
		for _, rule := range stage.Under {
			name, denies := strings.CutPrefix(rule.Text, "deny ")
			denies = denies || strings.HasPrefix(rule.Text, "deny[")
			name = strings.TrimPrefix(name, "allow ")
			if !rule.Shadow && rule.State != pipeline.Unasked && denies == (rule.State != pipeline.Holds) {
				return name
			}
		}
	}
	return ""
}

// limit is the limit that refused.
func (o Outcome) limit() string {
	if strings.HasSuffix(o.Decision.Stage, limitSuffix) {
		return o.Decision.Rule
	}
	return ""
}

func shadowMisses(want *policy.Expect, got []pipeline.Shadow) []Miss {
	var names, more []string
	for _, s := range got {
		names = append(names, s.Rule)
		if !slices.ContainsFunc(want.Shadow, func(w policy.Value[string]) bool { return isShadow(w.V, s) }) {
			more = append(more, s.Rule)
		}
	}
	var all []Miss
	for _, w := range want.Shadow {
		if !slices.ContainsFunc(got, func(s pipeline.Shadow) bool { return isShadow(w.V, s) }) {
			all = append(all, Miss{w.Pos, "shadow", shown(w.V), listed(names)})
		}
	}
	if len(more) > 0 {
		wanted := make([]string, len(want.Shadow))
		for i, w := range want.Shadow {
			wanted[i] = w.V
		}
		at := want.Pos
		if len(want.Shadow) > 0 {
			at = want.Shadow[0].Pos
		}
		all = append(all, Miss{at, "shadow", listed(wanted), "also " + listed(more)})
	}
	return all
}

// isShadow reports whether a name means what would have decided. A WAF profile may
// be called with the rule that would have refused, or without.
func isShadow(name string, s pipeline.Shadow) bool {
	return name == s.Rule || s.Stage == stageInspect && (name == profileOf(s.Rule) || name == "waf:"+s.Rule)
}

func fieldMisses(what string, want []policy.Field, got http.Header) []Miss {
	var all []Miss
	for _, f := range want {
		values := got[http.CanonicalHeaderKey(f.Name)]
		if values == nil {
			values = got[strings.ToLower(f.Name)] // the two that are sent in lower case
		}
		is := strings.Join(values, ", ")
		if f.Value.V == is && (is != "" || len(values) == 0) {
			continue
		}
		at := f.Value.Pos
		if at.Line == 0 {
			at = f.Pos
		}
		all = append(all, Miss{at, what + " " + f.Name, shown(f.Value.V), shown(is)})
	}
	return all
}

func forwardMisses(want *policy.Forwards, got *Forwarded) []Miss {
	if got == nil {
		return []Miss{{want.Pos, "forwards", "a request at the upstream", "none"}}
	}
	var all []Miss
	if want.Upstream.Set && want.Upstream.V != got.Upstream {
		all = append(all, Miss{want.Upstream.Pos, "upstream", shown(want.Upstream.V), shown(got.Upstream)})
	}
	if want.Path.Set && want.Path.V != got.Path {
		all = append(all, Miss{want.Path.Pos, "path at the upstream", shown(want.Path.V), shown(got.Path)})
	}
	return append(all, fieldMisses("header at the upstream", want.Header, got.Header)...)
}

// shownMost bounds a value in a report, in bytes.
const shownMost = 200

// shown is a value as reports have it.
func shown(v string) string {
	switch {
	case v == "":
		return "none"
	case len(v) > shownMost:
		return fmt.Sprintf("%.*q…", shownMost, v)
	case strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r == '"' || r > '~' }):
		return fmt.Sprintf("%q", v)
	default:
		return v
	}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = shown(n)
	}
	return strings.Join(parts, ", ")
}
