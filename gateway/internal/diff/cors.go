package diff

import (
	"slices"
	"strings"

	"portcullis/policies/policy"
)

// everyOrigin stands for all origins, without credentials.
const everyOrigin = "*"

// cors compares which pages of other origins may use a route.
func (c *comparison) cors(old, now *served) {
	was, is := origins(old), origins(now)
	pos := now.Pos
	if now.Effective.CORS != nil {
		pos = now.Effective.CORS.Pos
	}
	if more := added(was, is); len(more) > 0 && !slices.Contains(was, everyOrigin) {
		c.say(Widens, pos, "pages of "+strings.Join(more, ", ")+" may use it")
	}
	if less := added(is, was); len(less) > 0 && !slices.Contains(is, everyOrigin) {
		c.say(Narrows, pos, "pages of "+strings.Join(less, ", ")+" may not use it any more")
	}
	if len(was) == 0 || len(is) == 0 {
		return
	}
	before, after := old.Effective.CORS, now.Effective.CORS
	c.named(pos, "pages may send the fields", before.Headers, after.Headers)
	c.named(pos, "pages may read the fields", before.Expose, after.Expose)
	if after.Credentials.V && !before.Credentials.V {
		c.say(Widens, at(after.Credentials, pos), "pages may use it with the credentials that the browser keeps")
	} else if before.Credentials.V && !after.Credentials.V {
		c.say(Narrows, at(after.Credentials, pos), "pages may not use it with credentials any more")
	}
	differs(c, at(after.MaxAge, pos), "browsers keep a preflight", before.MaxAge.Or(policy.DefaultMaxAge), after.MaxAge.Or(policy.DefaultMaxAge), policy.FormatDuration)
}

func origins(r *served) []string {
	if r.Effective.CORS == nil {
		return nil
	}
	return policy.Values(r.Effective.CORS.Origins)
}

// named compares lists of header fields, whose case does not matter.
func (c *comparison) named(pos policy.Pos, what string, was, is []policy.Value[string]) {
	fold := func(list []policy.Value[string]) []string {
		names := policy.Values(list)
		for i := range names {
			names[i] = strings.ToLower(names[i])
		}
		return names
	}
	if more := added(fold(was), fold(is)); len(more) > 0 {
		c.say(Widens, pos, what+" "+strings.Join(more, ", "))
	}
	if less := added(fold(is), fold(was)); len(less) > 0 {
		c.say(Narrows, pos, what+" no more: "+strings.Join(less, ", "))
	}
}
