package diff

import (
	"fmt"
	"slices"
	"strings"

	"portcullis/policies/policy"
)

// destination compares where requests go and what is seen there. Who is behind
// another address, or what it makes of another request, nobody can say here.
func (c *comparison) destination(old, now *served) {
	switch {
	case old.Redirect == nil && now.Redirect == nil:
		c.upstream(old, now)
	case old.Redirect == nil:
		c.say(Unproved, now.Redirect.Pos, "is redirected to "+now.Redirect.To.V+" now (before: sent to upstream "+old.Effective.Upstream.V+")")
	case now.Redirect == nil:
		c.say(Unproved, at(now.Effective.Upstream, now.Pos), "is sent to upstream "+now.Effective.Upstream.V+" now (before: redirected to "+old.Redirect.To.V+")")
	default:
		if placed(old.Redirect.To.V, old.path) != placed(now.Redirect.To.V, now.path) {
			c.say(Unproved, now.Redirect.Pos, fmt.Sprintf("is redirected to %s (before: %s)", now.Redirect.To.V, old.Redirect.To.V))
		}
		differs(c, now.Redirect.Pos, "redirects with status", old.Redirect.Status.Or(policy.DefaultRedirect), now.Redirect.Status.Or(policy.DefaultRedirect), func(n int) string { return fmt.Sprint(n) })
	}
}

func (c *comparison) upstream(old, now *served) {
	was, is := old.side.upstreams[old.Effective.Upstream.V], now.side.upstreams[now.Effective.Upstream.V]
	if was == nil || is == nil {
		c.say(Unproved, now.Pos, "has no upstream that could be compared")
		return
	}
	before, after := old.side.endpoints(was), now.side.endpoints(is)
	if more := added(before, after); len(more) > 0 {
		c.say(Unproved, is.Pos, fmt.Sprintf("goes to %s now (before: %s)", strings.Join(more, ", "), strings.Join(before, ", ")))
	} else if less := added(after, before); len(less) > 0 {
		c.say(Changes, is.Pos, "does not go to "+strings.Join(less, ", ")+" any more")
	}
	if before, after := credential(was), credential(is); before != after {
		c.say(Unproved, is.Pos, fmt.Sprintf("is sent on with %s (before: %s)", after, before))
	}
	if before, after := protocol(was), protocol(is); before != after {
		// The same service may read a request in another way in another protocol.
		c.say(Unproved, at(is.Protocol, is.Pos), fmt.Sprintf("is sent on in %s (before: %s)", after, before))
	}
	c.patience(was, is, old, now)
	c.rewrite(old, now)
}

// endpoints are an upstream's as they are written: an address that the
// environment of this machine gives may be another on the next.
func (s *side) endpoints(u *policy.Upstream) []string {
	var all []string
	for _, e := range u.Endpoints {
		all = append(all, s.doc.Written(e))
	}
	return all
}

func protocol(u *policy.Upstream) string { return u.Protocol.Or("HTTP/1.1") }

func credential(u *policy.Upstream) string {
	switch {
	case u.Exchange.Set:
		return "the caller's token, exchanged for " + u.Exchange.V
	case u.Client.Set:
		return "the gateway's own token for " + u.Client.V
	default:
		return "no token"
	}
}

// patience notes how long and how often an upstream is tried.
func (c *comparison) patience(was, is *policy.Upstream, old, now *served) {
	name := "upstream " + is.Name.V + " "
	differs(c, at(is.Connect, is.Pos), name+"is connected to within", was.Connect.Or(policy.DefaultConnect), is.Connect.Or(policy.DefaultConnect), policy.FormatDuration)
	if was.Attempt.Set || is.Attempt.Set {
		differs(c, at(is.Attempt, is.Pos), name+"has for an attempt", was.Attempt.Or(old.Effective.Timeout.V), is.Attempt.Or(now.Effective.Timeout.V), policy.FormatDuration)
	}
	if breaker(was.Breaker) != breaker(is.Breaker) {
		c.say(Changes, is.Breaker.Pos, name+"has another breaker: "+breaker(is.Breaker))
	}
}

func breaker(b policy.Breaker) string {
	return fmt.Sprintf("%d%% of %d in %s, open %s", b.Failures.Or(policy.DefaultFailures), b.Samples.Or(policy.DefaultSamples),
		policy.FormatDuration(b.Window.Or(policy.DefaultWindow)), policy.FormatDuration(b.Open.Or(policy.DefaultOpen)))
}

// rewrite compares what the upstream sees. Values are not shown: some are secrets.
func (c *comparison) rewrite(old, now *served) {
	was, is := seen(old), seen(now)
	if slices.Equal(was, is) {
		return
	}
	pos := now.Pos
	if now.Request != nil {
		pos = now.Request.Pos
	}
	var what []string
	for _, part := range slices.Concat(added(was, is), added(is, was)) {
		if name, _, _ := strings.Cut(part, "\n"); !slices.Contains(what, name) {
			what = append(what, name)
		}
	}
	c.say(Unproved, pos, "the upstream sees another request: "+strings.Join(what, ", "))
}

// seen are the changes that a route makes to a request, each with its kind and
// what it is about before the line break, and the value after it.
func seen(r *served) []string {
	if r.Request == nil {
		return nil
	}
	var parts []string
	if r.Request.StripPrefix.Set {
		parts = append(parts, "prefix\n"+r.Request.StripPrefix.V)
	}
	if r.Request.Path.Set {
		parts = append(parts, "path\n"+placed(r.Request.Path.V, r.path))
	}
	for _, f := range r.Request.Set {
		parts = append(parts, "field "+f.Name+"\n"+placed(f.Value.V, r.path))
	}
	for _, name := range r.Request.Remove {
		parts = append(parts, "field "+strings.ToLower(name.V)+" removed\n")
	}
	slices.Sort(parts)
	return parts
}

// placed writes a template with its parameters, and what a star takes, by their
// places in the path.
func placed(template string, p path) string {
	var names []string
	for name, i := range p.positions() {
		names = append(names, "{"+name+"}", fmt.Sprintf("{%d}", i))
	}
	written := strings.NewReplacer(names...).Replace(template)
	if strings.HasSuffix(written, "/*") {
		written += fmt.Sprint(slices.Index(p, star))
	}
	return written
}
