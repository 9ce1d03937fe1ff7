package seclang

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// rule reads: VARIABLES "OPERATOR" ["ACTIONS"].
func (p *parser) rule(text string) error {
	variables, rest, ok := strings.Cut(strings.Trim(text, " "), " ")
	if !ok {
		return errors.New("the rule has no operator")
	}
	operator, rest, err := cutQuoted(strings.TrimLeft(rest, " "))
	if err != nil {
		return fmt.Errorf("the rule's operator: %w", err)
	}
	r := &Rule{Place: p.place}
	if r.Targets, err = parseTargets(variables); err != nil {
		return err
	}
	if r.Operator, err = parseOperator(strings.ReplaceAll(operator, `\"`, `"`)); err != nil {
		return err
	}
	actions := strings.TrimLeft(rest, " ")
	if actions == "" {
		// The engine merges defaults only into a list of actions.
		return p.add(r, nil, false)
	}
	if len(actions) < 2 || actions[0] != '"' || actions[len(actions)-1] != '"' {
		return fmt.Errorf("the actions %q are not in quotes", actions)
	}
	parsed, err := parseActions(actions[1 : len(actions)-1])
	if err != nil {
		return err
	}
	return p.add(r, parsed, true)
}

func (p *parser) action(text string) error {
	parsed, err := parseActions(unquote(text))
	if err != nil {
		return err
	}
	return p.add(&Rule{Place: p.place}, parsed, true)
}

func (p *parser) marker(name string) error {
	if name == "" {
		return errors.New("a marker needs a name")
	}
	if p.open != nil {
		return errors.New("a marker stands within a chain")
	}
	p.policy.Rules = append(p.policy.Rules, &Rule{Place: p.place, Marker: name})
	return nil
}

// add gives the rule its actions and puts it where it belongs.
func (p *parser) add(r *Rule, actions []Action, merge bool) error {
	r.Phase = 2
	for _, a := range actions {
		var err error
		switch a.Name {
		case "id":
			r.ID, err = strconv.Atoi(a.Value)
		case "phase":
			r.Phase, err = parsePhase(a.Value)
		}
		if err != nil {
			return fmt.Errorf("%s:%s: not a number the engine takes", a.Name, a.Value)
		}
	}
	if merge {
		actions = mergeDefaults(actions, p.defaultsOf(r.Phase))
	}
	r.Actions = actions
	for _, a := range actions {
		switch {
		case a.Name == "t" && strings.EqualFold(a.Value, "none"):
			r.Transformations = nil
		case a.Name == "t":
			r.Transformations = append(r.Transformations, a.Value)
		}
	}
	switch {
	case p.open != nil:
		r.ID, r.Phase = 0, 0
		p.open.Chain = r
	default:
		if r.ID != 0 && p.find(r.ID) != nil {
			return fmt.Errorf("rule %d is there already", r.ID)
		}
		p.policy.Rules = append(p.policy.Rules, r)
	}
	p.open = nil
	if r.Has("chain") {
		p.open = r
	}
	return nil
}

func (p *parser) find(id int) *Rule {
	for _, r := range p.policy.Rules {
		if r.ID == id && r.Marker == "" {
			return r
		}
	}
	return nil
}

func parsePhase(text string) (int, error) {
	switch text {
	case "request":
		return 2, nil
	case "response":
		return 4, nil
	case "logging":
		return 5, nil
	}
	n, err := strconv.Atoi(text)
	if err == nil && (n < 1 || n > 5) {
		err = strconv.ErrRange
	}
	return n, err
}

func parseOperator(text string) (*Operator, error) {
	switch {
	case text == "!":
		text = "!@rx"
	case text == "" || text[0] != '@' && text[0] != '!':
		text = "@rx " + text
	case text[0] == '!' && text[1] != '@':
		text = "!@rx " + text[1:]
	}
	name, argument, _ := strings.Cut(text, " ")
	name, negated := strings.CutPrefix(strings.TrimSpace(name), "!")
	name = strings.TrimPrefix(name, "@")
	if name == "" {
		return nil, fmt.Errorf("the operator %q has no name", text)
	}
	return &Operator{Name: name, Argument: strings.TrimSpace(argument), Negated: negated}, nil
}

// cutQuoted takes a text in double quotes from the front; within it a backslash
// keeps a quote from ending it.
func cutQuoted(s string) (inside, rest string, err error) {
	if s == "" || s[0] != '"' {
		return "", "", fmt.Errorf("expected a text in quotes, not %q", s)
	}
	escaped := false
	for n := 1; n < len(s); n++ {
		switch {
		case s[n] == '"' && !escaped:
			return s[1:n], s[n+1:], nil
		case s[n] == '\\':
			escaped = !escaped
		default:
			escaped = false
		}
	}
	return "", "", fmt.Errorf("the quote of %q does not end", s)
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}
