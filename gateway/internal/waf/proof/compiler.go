package proof

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/seclang"
	"portcullis/gateway/internal/waf/transform"
)

// compiler makes a program of a policy.
type compiler struct {
	files           fs.FS
	policy          *seclang.Policy
	transformations *transform.Set
	fixed           map[string]string
	budget          *match.Budget
	automata        *match.Automata
	program         *Program
	root            *node
	// constants are the variables of the transaction as they are for every
	// request on which no rule had an effect yet.
	constants map[string]string
	readers   []reader
	flows     flows
	// conditional are the rules that the request decides.
	conditional []*seclang.Rule
	pending     []pending
	// last is the phase up to which rules are evaluated; ofAnswer says that those
	// of answers are compiled.
	last     int
	ofAnswer bool
	// compiled finds a rule again by its text.
	compiled map[*seclang.Rule]*rule
	// fates say of the others what constants have decided.
	fates map[*seclang.Rule]fate
}

func newCompiler(files fs.FS, policy *seclang.Policy, set *transform.Set, fixed map[string]string, budget *match.Budget) *compiler {
	c := &compiler{
		files: files, policy: policy, transformations: set, fixed: fixed, budget: budget,
		root: &node{}, constants: map[string]string{}, compiled: map[*seclang.Rule]*rule{}, fates: map[*seclang.Rule]fate{},
	}
	c.program = &Program{nodes: []*node{c.root}, lowercase: set.Find("lowercase"), budget: budget, fields: map[string]*plan{}, memory: newMemory()}
	return c
}

func (c *compiler) compile() (*Program, error) {
	c.settings()
	if err := c.findReaders(); err != nil {
		return nil, err
	}
	c.findFlows()
	c.early()
	for phase := 1; phase <= lastOfRequest; phase++ {
		if err := c.phase(phase); err != nil {
			return nil, err
		}
	}
	for _, r := range c.flows.chains {
		if _, err := c.rule(r); err != nil {
			return nil, fmt.Errorf("rule %d at %v: %w", r.ID, r.Place, err)
		}
	}
	if err := c.exempt(); err != nil {
		return nil, err
	}
	c.narrow()
	if c.last == lastOfAnswer {
		if err := c.answers(); err != nil {
			return nil, err
		}
	}
	return c.program, c.finish()
}

// late are the variables with one value that the body changes.
var late = []string{"REQUEST_BODY", "REQUEST_BODY_LENGTH", "FILES_COMBINED_SIZE"}

// early leaves to the engine rules of phase 1 that look at what only the body
// changes: they see another value than is told of it.
func (c *compiler) early() {
	for _, r := range c.policy.Rules {
		if r.Phase != 1 {
			continue
		}
		for _, link := range r.Links() {
			if slices.ContainsFunc(link.Targets, func(t seclang.Target) bool { return slices.Contains(late, t.Variable) }) {
				c.refuse(r, "what it looks at before the body is there", "every request runs the engine")
				c.program.whole = fmt.Sprintf("rule %d is not provable", r.ID)
				break
			}
		}
	}
}

// finish arranges what was compiled.
func (c *compiler) finish() error {
	if len(c.program.links) >= mostLinks {
		c.nothing(seclang.Setting{}, fmt.Sprintf("there are %d conditions, more than %d", len(c.program.links), mostLinks-1))
		c.program.links = nil
	}
	return c.plan()
}

// phase goes through the rules of a phase as the engine does. What a constant
// decides is decided here, its effect on later rules too.
func (c *compiler) phase(phase int) error {
	after := ""
	var by *seclang.Rule
	for _, r := range c.policy.Rules {
		if after != "" {
			if r.Marker == after {
				after = ""
			} else if r.Phase == phase {
				c.fates[r] = fate{kind: passed, by: by}
			}
			continue
		}
		if r.Marker != "" || r.Phase != phase {
			continue
		}
		skip, err := c.rule(r)
		if err != nil {
			return fmt.Errorf("rule %d at %v: %w", r.ID, r.Place, err)
		}
		after, by = skip, r
	}
	return nil
}

// rule compiles one rule; the result is the marker to go on at, when it matches
// every request and says so.
func (c *compiler) rule(r *seclang.Rule) (skip string, err error) {
	links := r.Links()
	if r.ID == 0 && len(links) > 1 {
		// The engine takes a chain without an id for several rules.
		c.refuse(r, "a chain without an id", "every request runs the engine")
		c.program.whole = "a chain without an id"
		return "", nil
	}
	first := 0
	for ; first < len(links); first++ {
		decided, met, err := c.decide(links[first], nil)
		if err != nil {
			return "", err
		}
		if !decided {
			break
		}
		if !met {
			c.program.dead++
			if first == 0 {
				c.fates[r] = fate{kind: unmet}
			}
			return "", nil
		}
		c.assign(links[first])
	}
	if first == len(links) {
		c.program.dead++
		c.fates[r] = fate{kind: certain}
		return c.always(r), nil
	}
	for n := first + 1; n < len(links); n++ {
		if decided, met, err := c.decide(links[n], links[first:n]); err != nil {
			return "", err
		} else if decided && !met && !leaves(links[first:n]) {
			c.program.dead++
			return "", nil
		}
	}
	return "", c.dynamic(r, links, first)
}

// leaves tells whether one of these links changes something when it is met, though
// the rest of its chain never is.
func leaves(links []*seclang.Rule) bool {
	return slices.ContainsFunc(links, func(link *seclang.Rule) bool {
		return slices.ContainsFunc(link.Actions, func(a seclang.Action) bool {
			switch a.Name {
			case "block", "skip", "skipafter": // the whole chain does
				return false
			}
			return !harmless[a.Name] && !disruptive(a.Name)
		})
	})
}

// always takes care of a rule that matches every request.
func (c *compiler) always(r *seclang.Rule) (skip string) {
	why := ""
	if r.Logs() {
		why = "it matches every request and is logged"
	}
	for _, link := range r.Links() {
		for _, a := range link.Actions {
			switch a.Name {
			case "skipafter":
				if skip = a.Value; !c.lands(r, skip) {
					why = "it matches every request and skips to a marker that does not come"
				}
			case "deny", "drop", "redirect", "allow", "skip", "exec", "initcol", "setenv", "expirevar":
				why = "it matches every request and has the action " + a.Name
			case "ctl":
				if name, _, _ := strings.Cut(a.Value, "="); !strings.EqualFold(name, "auditEngine") && !strings.EqualFold(name, "auditLogParts") {
					why = "it matches every request and has the action ctl:" + a.Value
				}
			}
		}
	}
	if why != "" {
		c.refuse(r, why, "every request runs the engine")
		if c.program.whole == "" {
			c.program.whole = fmt.Sprintf("rule %d: %s", r.ID, why)
		}
	}
	return skip
}

// refuse notes what is not provable.
func (c *compiler) refuse(r *seclang.Rule, why, then string) {
	c.program.unprovable = append(c.program.unprovable, Unprovable{Rule: r.ID, Place: r.Place, Why: why, Then: then})
}

// variablesOf names what a link looks at, for people.
func variablesOf(link *seclang.Rule) string {
	var names []string
	for _, t := range link.Targets {
		name := t.Variable
		switch {
		case t.Expression:
			name += ":/" + t.Key + "/"
		case t.Key != "":
			name += ":" + t.Key
		}
		if !t.Except && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
