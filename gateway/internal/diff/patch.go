package diff

import (
	"slices"
	"strings"

	"portcullis/policies/policy"
)

// patches compares the rules that a profile has beside the Core Rule Set. They
// can only refuse: what is gone or reads otherwise may let more through.
func (c *comparison) patches(was, is *policy.WAFProfile) {
	before, after := rulesOf(c.old.doc, was), rulesOf(c.now.doc, is)
	for _, p := range was.Patches {
		if has(after, before[p.File.V]) {
			continue
		}
		if _, there := after[p.File.V]; !there {
			c.gone(Widens, p.Pos, "the patch "+p.File.V+" is gone: what it refused may pass ("+p.Reason.V+")")
			continue
		}
		for _, now := range is.Patches {
			if now.File.V == p.File.V {
				c.say(Widens, now.Pos, "the rules of the patch "+p.File.V+" are others: what they refused may pass ("+p.Reason.V+")")
			}
		}
	}
	if !slices.Equal(inOrder(was, before, after), inOrder(is, after, before)) {
		c.say(Widens, is.Patches[0].Pos, "patches are asked in another order: what they refused may pass")
	}
	for _, p := range is.Patches {
		if _, there := before[p.File.V]; !there && !has(before, after[p.File.V]) {
			c.say(Narrows, p.Pos, "the patch "+p.File.V+" refuses more ("+p.Reason.V+")")
		}
		for _, o := range was.Patches {
			if o.File.V == p.File.V && p.Expires.V.After(o.Expires.V) {
				c.say(Changes, p.Pos, "the patch "+p.File.V+" is meant to last longer")
			}
		}
	}
}

// inOrder are the files of a profile's patches whose rules others have too, by
// their rules: a variable that one sets may be read by those behind it.
func inOrder(p *policy.WAFProfile, rules, others map[string]string) (texts []string) {
	for _, patch := range p.Patches {
		if text := rules[patch.File.V]; has(others, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

func has(rules map[string]string, text string) bool {
	for _, other := range rules {
		if other == text {
			return true
		}
	}
	return false
}

// rulesOf are the rules of a profile's patches by their files, without comments
// and blanks around lines, which the engine does not see either.
func rulesOf(doc *policy.Document, p *policy.WAFProfile) map[string]string {
	all := map[string]string{}
	for _, patch := range p.Patches {
		data, _ := doc.File(patch.File.V)
		var rules strings.Builder
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				rules.WriteString(line + "\n")
			}
		}
		all[patch.File.V] = rules.String()
	}
	return all
}
