package proof

import (
	"slices"
	"strings"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/seclang"
)

// link is one condition of a rule.
type link struct {
	rule       *rule
	number     int // among the links of the rule
	bit        int // among all links that look at values
	selections []selection
	*condition
	node *node
	// lower says that a last t:lowercase was cut off: literals are found in
	// either case, and only what is confirmed is lowered.
	lower bool
	// every also looks at each value on the way through the transformations.
	every    bool
	captures bool
	assigns  []assignment
	// foreign are expressions by which other rules pick variables that this
	// link might set.
	foreign []reader
	// constants are the values of variables of the transaction that the link reads
	// and that do not depend on the request.
	constants []string
	// weight is what the engine takes to look at a value.
	weight weight
}

// covers tells whether the link looks at this member of a variable.
func (l *link) covers(v collect.Variable, name, lower string) bool {
	for n := range l.selections {
		s := &l.selections[n]
		for _, source := range sources[s.name] {
			if source == v && !s.count && s.covers(name, lower) {
				return true
			}
		}
	}
	return false
}

// picks tells whether the link looks at some members of a variable only.
func (l *link) picks(v collect.Variable) bool {
	for n := range l.selections {
		s := &l.selections[n]
		for _, source := range sources[s.name] {
			if source == v && !s.count && s.all() {
				return false
			}
		}
	}
	return true
}

// link compiles one link; nil when it has to be taken for met. behind says that
// links before the rule's first are constants.
func (c *compiler) link(r, text *seclang.Rule, before []*seclang.Rule, behind bool) (*link, error) {
	l := &link{node: c.root}
	var err error
	if text.Operator == nil {
		return nil, nil // a SecAction
	}
	if l.selections, err = selections(text.Targets); err != nil {
		return nil, err
	}
	if why := c.choose(l, len(before) == 0, behind); why != "" {
		c.refuse(r, why, "that condition counts as met")
		return nil, nil
	}
	if len(l.selections) == 0 {
		l.condition = &condition{operator: func(string, string) bool { return false }}
		l.selections = []selection{{name: "ARGS", key: "\x00 nothing"}}
		return l, nil
	}
	then := "requests with " + variablesOf(text) + " always run the engine"
	if l.condition, err = c.condition(text); err != nil {
		c.refuse(r, err.Error(), then)
		l.condition = always()
		return l, nil
	}
	l.argument = l.argument.fold(c.constants, ownKeys(before))
	if l.kind() == looksAtValues && slices.ContainsFunc(l.argument, func(p piece) bool { return p.variable == "TX" || strings.HasPrefix(p.variable, "MATCHED") }) {
		l.condition = always() // for what values an earlier link left behind, it may be met
		return l, nil
	}
	l.compares()
	chain := text.Transformations
	if last := len(chain) - 1; last >= 0 && strings.EqualFold(chain[last], "lowercase") && !text.Has("multimatch") && l.foldsCase() {
		l.lower, chain = true, chain[:last]
	}
	n := c.root
	for _, name := range chain {
		if n = c.child(n, name); n == nil {
			c.refuse(r, "transformation t:"+name, then)
			l.condition = always()
			return l, nil
		}
	}
	l.node = n
	l.every = text.Has("multimatch")
	l.weight = weightOf(l, text)
	l.captures = text.Has("capture")
	for n := range l.selections {
		if s := &l.selections[n]; s.name == "TX" {
			for key, value := range c.constants {
				if !isCapture(s.key) && s.covers(key, key) {
					l.constants = append(l.constants, value)
				}
			}
		}
	}
	l.assigns = assignments(text)
	for n := range l.assigns {
		a := &l.assigns[n]
		own := ownKeys(append(slices.Clone(before), text))
		a.key, a.value = a.key.fold(c.constants, own), a.value.fold(c.constants, own)
	}
	return l, nil
}

// compares finds the literal that a value must have to be equal to, or to hold,
// the argument.
func (l *link) compares() {
	text, plain := l.argument.plain()
	if !plain || l.negated || len(text) < 2 {
		return
	}
	switch l.name {
	case "contains", "strmatch", "streq", "beginsWith", "endsWith":
		l.need.Sets = [][]string{{text[:min(len(text), 12)]}}
	}
}

// always is a condition that is not understood.
func always() *condition {
	return &condition{operator: func(string, string) bool { return true }, guessed: true}
}

// foldsCase tells whether the literals of a condition are found whether a value
// was lowered or not. Text outside ASCII is lowered in ways of its own.
func (l *link) foldsCase() bool {
	if l.negated || len(l.need.Sets) == 0 && l.pattern == nil {
		return false
	}
	for _, set := range l.need.Sets {
		for _, text := range set {
			for i := range len(text) {
				if text[i] >= 0x80 {
					return false
				}
			}
		}
	}
	return true
}

// choose keeps of a link's selections those that can hold something, and says
// what is not understood.
func (c *compiler) choose(l *link, first, behind bool) (why string) {
	var kept []selection
	counted, plain, back := 0, 0, 0
	for _, s := range l.selections {
		if _, fixed := c.constant(&s, nil); fixed && s.name != "TX" {
			if slices.Contains(emptyVariables, s.name) && !s.count {
				continue
			}
			return "the constant " + s.name + " beside other variables"
		}
		switch {
		case s.name == "TX" && s.key == "" && s.expression == nil:
			return "all of TX"
		case s.name == "TX" || s.name == "MATCHED_VAR" || s.name == "MATCHED_VARS":
			if first || behind || s.count {
				return "variable " + s.name + " as an earlier rule left it"
			}
			back++
		case sources[s.name] == nil, sources[s.name][0].OfAnswer() != c.ofAnswer:
			return "variable " + s.name
		case s.count:
			counted++
		default:
			if slices.ContainsFunc(s.except, func(e selection) bool { return e.key == "" && e.expression == nil }) {
				continue // all of it is left out
			}
			plain++
		}
		kept = append(kept, s)
	}
	if counted > 0 && plain+back > 0 {
		return "a number beside values"
	}
	l.selections = kept
	return ""
}

// kind says when a link is decided.
type kind int

const (
	looksAtValues kind = iota // for each value by itself
	counts                    // when all values are known
	looksBack                 // by what earlier links of the rule left behind
)

func (l *link) kind() kind {
	for n := range l.selections {
		s := &l.selections[n]
		switch {
		case s.count:
			return counts
		case s.name == "TX" || s.name == "MATCHED_VAR" || s.name == "MATCHED_VARS":
			return looksBack
		}
	}
	return looksAtValues
}

// waits tells whether a link depends on what only the body can bring.
func (l *link) waits() bool {
	return slices.ContainsFunc(l.selections, func(s selection) bool { return sources[s.name] != nil && s.name != "REQUEST_HEADERS" })
}
