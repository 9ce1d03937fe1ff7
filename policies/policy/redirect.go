package policy

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// redirect checks where callers are sent. What they sent themselves must not
// choose the place, or a link to the gateway would be a link to anywhere.
func (v *validator) redirect(r *Route) {
	if r.Redirect == nil {
		return
	}
	if r.Upstream.Set {
		v.report(r.Upstream.Pos, CodeConflict, fmt.Sprintf("route %q has an upstream and a redirect", r.Name.V), "", "leave one of them out")
	}
	var unused []Pos
	if r.Request != nil {
		unused = append(unused, r.Request.Pos)
	}
	if r.Timeout.Set {
		unused = append(unused, r.Timeout.Pos)
	}
	if r.Compress.Set {
		unused = append(unused, r.Compress.Pos)
	}
	if len(r.CompressTypes) > 0 {
		unused = append(unused, r.CompressTypes[0].Pos)
	}
	if r.WebSocket.Set {
		unused = append(unused, r.WebSocket.Pos)
	}
	for _, at := range unused {
		v.report(at, CodeNoEffect, fmt.Sprintf("route %q asks no upstream", r.Name.V), "", "leave it out")
	}
	if to := r.Redirect.To; to.Set {
		if why := wrongTarget(to.V, r.Match.V); why != "" {
			v.report(to.Pos, CodeRewrite, fmt.Sprintf("a caller cannot be sent to %q", withoutUser(to.V)), why, "write /v2/notes/{note} or https://www.hotel.test/notes/{note}")
		}
	}
}

// wrongTarget tells why a redirect cannot lead there, or nothing.
func wrongTarget(to, match string) string {
	path := to
	if scheme, rest, isURL := strings.Cut(to, "://"); isURL {
		host, _, _ := strings.Cut(rest, "/")
		u, err := url.Parse(scheme + "://" + host)
		switch {
		case err != nil || u.Scheme != scheme || scheme != "http" && scheme != "https" || u.Hostname() == "" || u.Host != host:
			return "an address begins with https:// and a host"
		case strings.ContainsAny(host, `{}*?#\@`):
			return "the host must be written out: a caller could choose it otherwise"
		}
		if path = rest[len(host):]; path == "" {
			return ""
		}
	}
	return wrongTemplate(path, match)
}

// wrongTemplate tells why a path with parameters of a match cannot be built, or
// nothing. A parameter is a whole segment, so that its value cannot begin
// another one, or become a host.
func wrongTemplate(template, match string) string {
	if strings.ContainsAny(template, "?#") {
		return "no query and no fragment: the query of the request goes along"
	}
	bare := template
	if len(bare) > 1 && !strings.HasSuffix(bare, "//") {
		bare = strings.TrimSuffix(bare, "/")
	}
	switch why := wrongPath(bare); {
	case why != "":
		return why
	case strings.Contains(template, ";"):
		return "no semicolon: it is not read alike everywhere"
	}
	_, path := SplitMatch(match)
	known := cut(path)
	own := cut(bare)
	if own[len(own)-1] == "*" && bare != template {
		return "nothing follows the star, which stands for all the rest"
	}
	for _, s := range own {
		if (isParam(s) || s == "*") && !slices.Contains(known, s) {
			return fmt.Sprintf("the match %q has no %s", path, s)
		}
	}
	return ""
}

// rewrite checks what an upstream sees in place of what was asked.
func (v *validator) rewrite(r *Route) {
	w := r.Request
	if w == nil {
		return
	}
	if w.Path.Set && w.StripPrefix.Set {
		v.report(w.StripPrefix.Pos, CodeConflict, "a path in place of the path, and a prefix taken off it", "", "leave one of them out")
	}
	if w.Path.Set {
		if why := wrongTemplate(w.Path.V, r.Match.V); why != "" {
			v.report(w.Path.Pos, CodeRewrite, fmt.Sprintf("an upstream cannot be asked for %q", w.Path.V), why, "write /v2/notes/{note}, with parameters of the match")
		}
	}
	if w.StripPrefix.Set {
		if why := wrongPrefix(w.StripPrefix.V, r.Match.V); why != "" {
			v.report(w.StripPrefix.Pos, CodeRewrite, fmt.Sprintf("the prefix %q cannot be taken off", w.StripPrefix.V), why, fmt.Sprintf("route %q matches %s", r.Name.V, r.Match.V))
		}
	}
	v.fieldsOfRequests(r)
}

func wrongPrefix(prefix, match string) string {
	_, path := SplitMatch(match)
	if why := wrongPath(prefix); why != "" {
		return why
	}
	own, asked := cut(prefix), cut(path)
	switch {
	case prefix == "/":
		return "it is nothing"
	case strings.ContainsAny(prefix, "{*"):
		return "it must be written out"
	case len(own) > len(asked) || !slices.Equal(own, asked[:len(own)]):
		return "not every path of the route begins with it"
	}
	return ""
}
