package diff

import (
	"strings"

	"portcullis/policies/policy"
)

// answersInspected compares which answers a profile holds back until it has
// inspected them.
func (c *comparison) answersInspected(was, is *policy.WAFProfile) {
	name := "WAF profile " + is.Name.V + " "
	switch {
	case was.Responses == nil && is.Responses == nil:
		return
	case was.Responses == nil:
		c.say(Narrows, is.Responses.Pos, name+"inspects answers of type "+strings.Join(policy.Values(is.Responses.Types), ", "))
		return
	case is.Responses == nil:
		c.gone(Widens, was.Responses.Pos, name+"does not inspect answers any more")
		return
	}
	before, after := policy.Values(was.Responses.Types), policy.Values(is.Responses.Types)
	if less := added(after, before); len(less) > 0 {
		c.say(Widens, is.Responses.Pos, name+"does not inspect answers of type "+strings.Join(less, ", ")+" any more")
	}
	if more := added(before, after); len(more) > 0 {
		c.say(Narrows, is.Responses.Pos, name+"also inspects answers of type "+strings.Join(more, ", "))
	}
	old, now := was.Responses.Body.Or(policy.DefaultResponseBody), is.Responses.Body.Or(policy.DefaultResponseBody)
	c.bound(at(is.Responses.Body, is.Responses.Pos), name+"inspects of an answer up to", old > now, old < now, policy.FormatSize(old), policy.FormatSize(now))
}
