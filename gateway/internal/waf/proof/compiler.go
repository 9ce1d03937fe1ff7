package proof

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/seclang"
	"portcullis/gateway/internal/waf/transform"
)

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
		} else if decided && !met {
			c.program.dead++
			return "", nil
		}
	}
	return "", c.dynamic(r, links, first)
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

// decide evaluates a link whose values are all constants. before are earlier
// links that depend on the request.
func (c *compiler) decide(link *seclang.Rule, before []*seclang.Rule) (decided, met bool, err error) {
	if link.Operator == nil {
		return len(before) == 0, true, nil
	}
	selections, err := selections(link.Targets)
	if err != nil {
		return false, false, err
	}
	own := ownKeys(before)
	var values []string
	for n := range selections {
		s := &selections[n]
		found, known := c.constant(s, own)
		if !known {
			return false, false, nil
		}
		if s.count {
			found = []string{strconv.Itoa(len(found))}
		}
		values = append(values, found...)
	}
	if len(values) == 0 {
		return true, false, nil
	}
	condition, err := c.condition(link)
	if err != nil {
		return false, false, nil // it will be refused where it is compiled
	}
	argument, plain := condition.argument.fold(c.constants, own).plain()
	if !plain || link.Has("multimatch") || condition.pattern != nil && link.Has("capture") {
		return false, false, nil
	}
	var arena transform.Arena
	for _, value := range values {
		for _, name := range link.Transformations {
			t := c.transformations.Find(name)
			if t == nil {
				return false, false, nil
			}
			value = t.Apply(&arena, value)
		}
		if condition.operator(value, argument) != condition.negated {
			return true, true, nil
		}
	}
	return true, false, nil
}

// constant returns the values of a selection that are the same for every
// request. own tells which variables an earlier link of the same rule sets.
func (c *compiler) constant(s *selection, own func(string) bool) (values []string, known bool) {
	switch {
	case slices.Contains(emptyVariables, s.name):
		return nil, true
	case slices.Contains(fixedVariables, s.name):
		value, there := c.fixed[s.name]
		return []string{value}, there && !s.count
	case s.name == "TX" && s.key != "" && !isCapture(s.key):
		if own != nil && own(s.key) {
			return nil, false
		}
		if value, set := c.constants[s.key]; set {
			return []string{value}, true
		}
		return nil, true
	case s.name == "TX" && s.expression != nil && own == nil:
		for n := range 10 {
			if s.expression.MatchString(strconv.Itoa(n)) {
				return nil, false // captures
			}
		}
		for key, value := range c.constants {
			if s.covers(key, key) {
				values = append(values, value)
			}
		}
		return values, true
	}
	return nil, false
}

// ownKeys tells which variables links may set.
func ownKeys(links []*seclang.Rule) func(string) bool {
	if len(links) == 0 {
		return nil
	}
	var sets []assignment
	for _, link := range links {
		sets = append(sets, assignments(link)...)
	}
	return func(key string) bool {
		for _, a := range sets {
			if plain, ok := a.key.plain(); ok && plain == key || !ok && strings.HasPrefix(key, a.key.prefix()) {
				return true
			}
		}
		return false
	}
}

// assign does what the setvars of a link that matches every request do.
func (c *compiler) assign(link *seclang.Rule) {
	for _, a := range assignments(link) {
		key, ok := a.key.fold(c.constants, nil).plain()
		if a.remove {
			delete(c.constants, key)
			continue
		}
		value, plain := a.value.fold(c.constants, nil).plain()
		if !ok || !plain {
			c.refuse(link, "a variable set from the request for every request", "every request runs the engine")
			c.program.whole = "a variable is set from the request for every request"
			continue
		}
		key = strings.ToLower(key)
		if value, ok = added(c.constants[key], value); ok {
			c.constants[key] = value
		}
	}
}

// added does the engine's arithmetic on a variable; not ok when it leaves the
// variable alone.
func added(current, value string) (string, bool) {
	if value == "" || value[0] != '+' && value[0] != '-' {
		return value, true
	}
	by := 0
	if len(value) > 1 {
		n, err := strconv.Atoi(value[1:])
		if err != nil {
			return value, !strings.HasPrefix(value[1:], "tx.")
		}
		by = n
	}
	was := 0
	if current != "" {
		n, err := strconv.Atoi(current)
		if err != nil {
			return "", false
		}
		was = n
	}
	if value[0] == '-' {
		by = -by
	}
	return strconv.Itoa(was + by), true
}

// findReaders lists who reads variables of the transaction.
func (c *compiler) findReaders() error {
	for _, r := range c.policy.Rules {
		if r.Phase > c.last {
			continue // they are not evaluated for a clean request, or only log
		}
		for _, link := range r.Links() {
			selections, err := selections(link.Targets)
			if err != nil {
				return fmt.Errorf("rule %d at %v: %w", r.ID, link.Place, err)
			}
			for _, s := range selections {
				if s.name == "TX" {
					c.readers = append(c.readers, reader{r, s})
				}
			}
			texts := []template{}
			if link.Operator != nil {
				texts = append(texts, parseTemplate(link.Operator.Argument))
			}
			for _, a := range assignments(link) {
				texts = append(texts, a.key, a.value)
			}
			for _, t := range texts {
				for _, p := range t {
					if p.variable == "TX" {
						c.readers = append(c.readers, reader{r, selection{name: "TX", key: p.key}})
					}
				}
			}
		}
	}
	return nil
}

// private tells whether no other rule can read what an assignment sets. Where
// that depends on what is put in for its macros, foreign are the expressions by
// which others read.
func (c *compiler) private(r *seclang.Rule, a assignment) (private bool, foreign []reader) {
	key, plain := a.key.plain()
	if c.flows.chained(r) {
		return true, nil
	}
	for _, other := range c.readers {
		if other.rule == r {
			continue
		}
		switch {
		case other.expression == nil && other.key == "": // all of them
			return false, nil
		case other.expression != nil && plain:
			if other.expression.MatchString(key) {
				return false, nil
			}
		case other.expression != nil:
			foreign = append(foreign, other)
		case plain && other.key == key || !plain && strings.HasPrefix(other.key, a.key.prefix()):
			return false, nil
		}
	}
	return true, foreign
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
