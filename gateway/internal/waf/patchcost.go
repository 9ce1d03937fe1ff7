package waf

import (
	"fmt"
	"regexp/syntax"
	"strings"

	"portcullis/gateway/internal/waf/seclang"
)

// Bounds on what a patch costs. A few bytes, (?:...){1000}, grow to a thousand
// times what stands in them: memory when it is loaded, and time with each value.
// The longest pattern of the Core Rule Set has some thousands of steps.
const (
	patternSteps  = 10_000
	patternsSteps = 100_000 // of all patches of a profile, some tens of MiB
	// linkTransformations bounds how often a value is changed before it is
	// compared.
	linkTransformations = 16
)

// lengthening are the transformations that make a value longer. One after
// another, each twice the length, would make gigabytes of a line.
var lengthening = []string{"base64encode", "hexencode", "urlencode", "utf8tounicode"}

// pattern refuses one that is too large to be compiled.
func (c *patchCheck) pattern(r, link *seclang.Rule, argument string) {
	tree, err := syntax.Parse(argument, syntax.Perl)
	if err != nil {
		c.refuse(link.Place, fmt.Sprintf("rule %d has a pattern that cannot be read: %v", r.ID, err), "", "mend it; bytes beyond ASCII are written as \\xNN")
		return
	}
	steps := stepsOf(tree)
	if steps > patternSteps {
		c.refuse(link.Place, fmt.Sprintf("rule %d has a pattern of %d steps; %d are the most", r.ID, steps, patternSteps), "each byte of a value may take as many",
			"repeat less: {1,1000} is a thousand times what stands before it, and + is as good where length does not matter")
		return
	}
	if *c.steps += steps; *c.steps > patternsSteps && *c.steps-steps <= patternsSteps {
		c.refuse(link.Place, fmt.Sprintf("with rule %d the patterns of all patches have more than %d steps", r.ID, patternsSteps), "they are kept in memory, compiled", "repeat less in them, or take out patches that are no longer needed")
	}
}

// stepsOf is about how many instructions a pattern is compiled to. It is counted
// before anything is repeated.
func stepsOf(re *syntax.Regexp) int {
	n := 1
	for _, sub := range re.Sub {
		n += stepsOf(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpRepeat:
		n *= max(re.Min, re.Max, 1) // the parser allows a thousand, nested ones together
	}
	return n
}

// transformations refuses those that could make a value grow without end.
func (c *patchCheck) transformations(r, link *seclang.Rule) {
	all, longer := 0, map[string]int{}
	for _, a := range link.Actions {
		if a.Name == "t" {
			all++
			longer[strings.ToLower(a.Value)]++
		}
	}
	if all > linkTransformations {
		c.refuse(link.Place, fmt.Sprintf("rule %d changes a value %d times; %d are the most", r.ID, all, linkTransformations), "each is done for each value", "leave out what is not needed")
	}
	for _, name := range lengthening {
		if longer[name] > 1 {
			c.refuse(link.Place, fmt.Sprintf("rule %d has t:%s %d times", r.ID, name, longer[name]), "it makes a value longer each time", "write it once")
		}
	}
}
