package proof

import (
	"slices"
	"strconv"
	"strings"

	"portcullis/gateway/internal/waf/seclang"
	"portcullis/gateway/internal/waf/transform"
)

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
