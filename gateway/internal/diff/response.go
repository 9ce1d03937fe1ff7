package diff

import (
	"slices"
	"strings"

	"portcullis/policies/policy"
)

// response compares the header fields that answers are given and denied.
func (c *comparison) response(old, now *served) {
	was, is := old.Effective.Response, now.Effective.Response
	for _, f := range was.Set {
		switch i := field(is.Set, f.Name); {
		case i < 0:
			c.gone(Widens, f.Pos, "answers do not carry "+f.Name+" any more")
		case is.Set[i].Value.V == f.Value.V:
		case strictest(is.Set[i]):
			c.say(Narrows, is.Set[i].Pos, "answers carry the strictest value of "+f.Name)
		default:
			c.say(Unproved, is.Set[i].Pos, "answers carry another value of "+f.Name)
		}
	}
	for _, f := range is.Set {
		if field(was.Set, f.Name) >= 0 {
			continue
		}
		// What is set replaces what the upstream says, which may be stricter.
		kind := Changes
		if (opens(f.Name) || protects(f.Name)) && !strictest(f) {
			kind = Unproved
		}
		c.say(kind, f.Pos, "answers carry "+f.Name)
	}
	for _, name := range was.Remove {
		if !hasField(is.Remove, name.V) {
			c.gone(Widens, name.Pos, "answers show "+name.V+" again")
		}
	}
	for _, name := range is.Remove {
		if hasField(was.Remove, name.V) {
			continue
		}
		if protects(name.V) {
			c.say(Unproved, name.Pos, "answers do not carry "+name.V+" any more")
		} else {
			c.say(Narrows, name.Pos, "answers do not show "+name.V+" any more")
		}
	}
}

// compressed compares which answers are compressed. The length of one tells
// something of what it holds to whoever sees it pass.
func (c *comparison) compressed(old, now *served) {
	was, is := old.Compressed(), now.Compressed()
	pos := at(now.Compress, now.Pos)
	if len(now.CompressTypes) > 0 {
		pos = now.CompressTypes[0].Pos
	}
	if more := added(was, is); len(more) > 0 {
		c.say(Unproved, pos, "answers are compressed, so that their length may tell what they hold: "+strings.Join(more, ", "))
	}
	if less := added(is, was); len(less) > 0 {
		c.say(Narrows, pos, "answers are not compressed any more: "+strings.Join(less, ", "))
	}
}

func field(list []policy.Field, name string) int {
	return slices.IndexFunc(list, func(f policy.Field) bool { return strings.EqualFold(f.Name, name) })
}

func hasField(list []policy.Value[string], name string) bool {
	return slices.ContainsFunc(list, func(v policy.Value[string]) bool { return strings.EqualFold(v.V, name) })
}

// opens reports whether a field of an answer may let pages or callers do more.
func opens(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "access-control-") || strings.HasPrefix(name, "content-security-policy") ||
		slices.Contains([]string{"set-cookie", "location", "refresh", "link", "alt-svc", "content-type", "service-worker-allowed", "timing-allow-origin"}, name)
}

// strictest reports whether a field has a value that is as strict as any.
func strictest(f policy.Field) bool {
	value, known := map[string]string{
		"cache-control": "no-store", "referrer-policy": "no-referrer",
		"x-content-type-options": "nosniff", "x-frame-options": "deny",
	}[strings.ToLower(f.Name)]
	return known && strings.EqualFold(strings.TrimSpace(f.Value.V), value)
}

// protects reports whether browsers or caches rely on a field of an answer.
func protects(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range []string{"content-security-policy", "cross-origin-", "x-", "access-control-"} {
		if strings.HasPrefix(name, prefix) && name != "x-powered-by" {
			return true
		}
	}
	return slices.Contains([]string{"strict-transport-security", "referrer-policy", "permissions-policy", "cache-control", "clear-site-data", "expires", "pragma", "vary", "www-authenticate", "content-type", "content-disposition", "set-cookie"}, name)
}
