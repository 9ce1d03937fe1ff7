package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Validate reports whether the values of a document fit together: whether every
// name stands for something, every route can be used and none goes below the
// floor. It changes nothing; the error holds all Mistakes.
//
// A document without hosts or routes is valid: the token service reads one with
// clients alone. Whether there is something to serve is the compiler's question.
func Validate(d *Document) error {
	v := &validator{doc: d}
	v.names()
	v.gateway()
	for _, i := range d.Issuers {
		v.issuer(i)
	}
	v.claimTypes()
	for _, u := range d.Upstreams {
		v.upstream(u)
	}
	for _, l := range d.Limits {
		v.limit(l)
	}
	for _, p := range d.WAF {
		v.profile(p)
	}
	for _, r := range d.Routes {
		v.route(r)
	}
	for _, c := range d.Clients {
		v.client(c)
	}
	v.sameMatches()
	v.tests()
	return v.mistakes.tidy()
}

// validator gathers the mistakes of one document.
type validator struct {
	doc                                       *Document
	hosts                                     []string
	issuers, upstreams, limits, wafs, clients []string
	routes                                    []string
	mistakes                                  Mistakes
}

func (v *validator) report(at Pos, code, what, why, hint string) {
	m := v.doc.Excerpt(At(at, code, withoutKey(what), hint))
	m.Why = why
	v.mistakes = append(v.mistakes, m)
}

// names checks the names of all stanzas and keeps them for those who refer to
// them.
func (v *validator) names() {
	v.issuers = named(v, "issuer", v.doc.Issuers, func(i *Issuer) (Value[string], Pos) { return i.Name, i.Pos })
	v.upstreams = named(v, "upstream", v.doc.Upstreams, func(u *Upstream) (Value[string], Pos) { return u.Name, u.Pos })
	v.limits = named(v, "limit", v.doc.Limits, func(l *Limit) (Value[string], Pos) { return l.Name, l.Pos })
	v.wafs = named(v, "WAF profile", v.doc.WAF, func(p *WAFProfile) (Value[string], Pos) { return p.Name, p.Pos })
	v.routes = named(v, "route", v.doc.Routes, func(r *Route) (Value[string], Pos) { return r.Name, r.Pos })
	v.clients = named(v, "client", v.doc.Clients, func(c *Client) (Value[string], Pos) { return c.Name, c.Pos })
	if v.doc.Gateway != nil {
		for _, h := range v.doc.Gateway.Hosts {
			v.hosts = append(v.hosts, h.V)
		}
	}
}

func named[T any](v *validator, kind string, stanzas []T, name func(T) (Value[string], Pos)) []string {
	first := map[string]Pos{}
	var names []string
	for _, stanza := range stanzas {
		n, at := name(stanza)
		if n.V == "" {
			v.missing(at, kind+" lacks the key \"name\"")
			continue
		}
		if !isName(n.V) {
			v.badName(n, kind)
		}
		if at, twice := first[n.V]; twice {
			v.report(n.Pos, CodeDuplicate, fmt.Sprintf("two %ss are named %q", kind, n.V), "the other is at "+at.String(), "give one of them another name")
			continue
		}
		first[n.V] = n.Pos
		names = append(names, n.V)
	}
	return names
}

func (v *validator) badName(n Value[string], kind string) {
	article := "a"
	if strings.ContainsRune("aeiou", rune(kind[0])) {
		article = "an"
	}
	v.report(n.Pos, CodeForm, fmt.Sprintf("%q cannot be the name of %s %s", n.V, article, kind),
		"", "a name has up to 64 lower-case letters, digits, dots, dashes and underscores, and begins with a letter or digit")
}

// missing reports a value that is needed; while parts of the document could
// not be read, its absence has been reported already.
func (v *validator) missing(at Pos, what string) {
	if !v.doc.partial {
		v.report(at, CodeMissing, what, "", "")
	}
}

// refers checks that a name stands for something.
func (v *validator) refers(name Value[string], kind, file string, known []string) {
	if !name.Set || slices.Contains(known, name.V) || v.doc.partial {
		return
	}
	v.report(name.Pos, CodeUnknownName, fmt.Sprintf("there is no %s named %q", kind, name.V),
		didYouMean(name.V, known), fmt.Sprintf("%ss are named under %s: in any policy file", kind, file))
}

// within checks a number against what is allowed, if there is one.
func within[T int | int64 | time.Duration](v *validator, value Value[T], least, most T, write func(T) string) {
	if !value.Set || value.V >= least && value.V <= most {
		return
	}
	v.report(value.Pos, CodeBounds, fmt.Sprintf("%s is outside what is allowed", write(value.V)),
		"", fmt.Sprintf("from %s to %s is allowed here", write(least), write(most)))
}

func (v *validator) count(value Value[int], least, most int) {
	within(v, value, least, most, func(n int) string { return fmt.Sprint(n) })
}

func (v *validator) percent(value Value[int]) {
	within(v, value, 1, 100, func(n int) string { return fmt.Sprintf("%d%%", n) })
}

func (v *validator) size(value Value[int64], most int64) {
	within(v, value, 1, most, FormatSize)
}

func (v *validator) duration(value Value[time.Duration], least, most time.Duration) {
	within(v, value, least, most, FormatDuration)
}
