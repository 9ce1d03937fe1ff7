package policy

import (
	"fmt"
	"strings"
)

// The rules of the Core Rule Set that look for attacks. The others set it up
// (901), add up what was found and decide (949, 959) and correlate (980): an
// exclusion of those would let everything pass.
const firstDetection, lastDetection = 911_000, 948_999

// exclusion checks that rules are kept from one argument, and no more.
func (v *validator) exclusion(e *Exclusion) {
	for _, id := range e.Rules {
		if id.V < firstDetection || id.V > lastDetection {
			v.report(id.Pos, CodeExclusion, fmt.Sprintf("rule %d cannot be excluded", id.V), "it does not look for attacks",
				fmt.Sprintf("name rules from %d to %d", firstDetection, lastDetection))
		}
	}
	if !e.Target.Set {
		return
	}
	if why := wrongTargetOfExclusion(e.Target.V); why != "" {
		v.report(e.Target.Pos, CodeExclusion, fmt.Sprintf("%q cannot be the target of an exclusion", e.Target.V), why, "write ARGS:json.note for a member of a JSON body, ARGS:note for a parameter")
	}
}

func wrongTargetOfExclusion(target string) string {
	collection, name, _ := strings.Cut(target, ":")
	switch {
	case collection != "ARGS" && collection != "ARGS_NAMES":
		return "ARGS or ARGS_NAMES, whose exclusion can be proved"
	case name == "":
		return "rules would look at no argument at all"
	case strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-$@[]", r))
	}):
		return "a name has letters, digits and . _ - $ @ [ ]"
	}
	return ""
}
