package waf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/transform"
)

// Exclusion keeps rules from looking at one part of requests.
type Exclusion struct {
	// Rules are ids of the Core Rule Set's detection rules.
	Rules []int
	// Target is ARGS:json.note for the member note of a JSON body,
	// ARGS:json.guest.name for one within another, ARGS:json.tags.0 for the
	// first of a list, ARGS:q for a parameter of a query or form, and ARGS_NAMES:x
	// for the name itself.
	//
	// The engine compares names without regard to case, and knows no difference
	// between a member of a body and a parameter of that name: ARGS:json.note
	// also stands for a member Note and for ?json.note=.
	Target string
	// MustPass are requests that pass with the exclusion and not without it,
	// MustBlock are denied with it. A text that begins with { or [ is a JSON
	// body, any other a query string.
	MustPass, MustBlock []string
}

// check refuses what would not be an exclusion of one part, and what the
// engine's language would take for more than a name.
func (e Exclusion) check() error {
	for _, id := range e.Rules {
		if id < firstDetection || id > lastDetection {
			return fmt.Errorf("rule %d does not look for attacks; only rules %d to %d can be kept from a target", id, firstDetection, lastDetection)
		}
	}
	collection, name, _ := strings.Cut(e.Target, ":")
	if collection != "ARGS" && collection != "ARGS_NAMES" {
		return fmt.Errorf("%q cannot be the target of an exclusion; write ARGS:json.note for a member of a JSON body, ARGS:q for a parameter", e.Target)
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !inName(r) }) {
		return fmt.Errorf("%q names no part that an exclusion can have; a name has letters, digits and . _ - $ @ [ ]", e.Target)
	}
	return nil
}

func inName(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-$@[]", r)
}

// directives is the exclusion in the engine's own language, to stand after the
// rules.
func (e Exclusion) directives() string {
	var b strings.Builder
	for _, id := range e.Rules {
		fmt.Fprintf(&b, "SecRuleUpdateTargetById %d \"!%s\"\n", id, e.Target)
	}
	return b.String()
}

// excludedIn lists the same of a request that the engine was not shown.
func (i *Inspector) excludedIn(s *subject) []int {
	if len(i.exclusions) == 0 {
		return nil
	}
	var arena transform.Arena
	n := named{exclusions: i.exclusions, has: make([]bool, len(i.exclusions))}
	w := collect.New(&arena, collect.Bounds{Args: MaxArgs, Depth: MaxDepth})
	err := w.Head(&s.Head, &n)
	switch {
	case err != nil || len(s.body) == 0:
	case s.format == formatJSON:
		_ = w.JSON(s.text(), &n) // what cannot be read is not proved either
	case s.format == formatForm:
		_ = w.Form(s.text(), &n)
	case s.format == formatMultipart:
		_ = w.Multipart(s.text(), s.contentType(), &n)
	}
	var touched []int
	for n, has := range n.has {
		if has {
			touched = append(touched, n)
		}
	}
	return touched
}

// named notes which exclusions have a target among the names that it is told.
type named struct {
	exclusions []Exclusion
	has        []bool
}

func (n *named) Value(v collect.Variable, name, _ string) bool {
	if v != collect.ArgsGet && v != collect.ArgsPost {
		return true
	}
	for i, e := range n.exclusions {
		if _, target, _ := strings.Cut(e.Target, ":"); strings.EqualFold(name, target) {
			n.has[i] = true
		}
	}
	return true
}

// excluded lists the exclusions whose target the request has.
func (i *Inspector) excluded(state plugintypes.TransactionState) (touched []int) {
	if len(i.exclusions) == 0 {
		return nil
	}
	args := state.Variables().Args().FindAll()
	for n, e := range i.exclusions {
		_, name, _ := strings.Cut(e.Target, ":")
		if slices.ContainsFunc(args, func(arg types.MatchData) bool { return strings.EqualFold(arg.Key(), name) }) {
			touched = append(touched, n)
		}
	}
	return touched
}
