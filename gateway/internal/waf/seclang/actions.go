package seclang

import (
	"errors"
	"fmt"
	"strings"
)

// disruptive names the actions of which a rule has one: the last one written.
var disruptive = map[string]bool{
	"allow": true, "block": true, "deny": true, "drop": true, "pass": true, "redirect": true,
}

// metadata names the actions that tell of a rule rather than do something; they
// cannot be defaults.
var metadata = map[string]bool{
	"accuracy": true, "id": true, "maturity": true, "msg": true, "phase": true, "rev": true,
	"severity": true, "tag": true, "ver": true,
}

// parseActions reads actions with commas between them; what is in single quotes
// or behind a backslash separates nothing.
func parseActions(text string) ([]Action, error) {
	var actions []Action
	add := func(part string) error {
		name, value, _ := strings.Cut(part, ":")
		a := Action{strings.ToLower(strings.TrimSpace(name)), unquote(strings.TrimSpace(value))}
		if a.Name == "" {
			return fmt.Errorf("an action has no name in %q", text)
		}
		for n, other := range actions {
			if disruptive[a.Name] && disruptive[other.Name] {
				actions[n] = a
				return nil
			}
		}
		actions = append(actions, a)
		return nil
	}
	start, quoted := 0, false
	for n := 1; n < len(text); n++ {
		switch {
		case text[n-1] == '\\':
		case text[n] == '\'':
			quoted = !quoted
		case text[n] == ',' && !quoted:
			if err := add(text[start:n]); err != nil {
				return nil, err
			}
			start = n + 1
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote does not end in the actions %q", text)
	}
	if err := add(text[start:]); err != nil {
		return nil, err
	}
	return actions, nil
}

// defaultAction reads what rules of a phase do when they say nothing else.
func (p *parser) defaultAction(text string) error {
	actions, err := parseActions(unquote(text))
	if err != nil {
		return err
	}
	phase, decides := 0, false
	for _, a := range actions {
		if a.Name == "phase" {
			if phase, err = parsePhase(a.Value); err != nil {
				return fmt.Errorf("phase:%s: there is no such phase", a.Value)
			}
		} else if metadata[a.Name] || a.Name == "t" {
			return fmt.Errorf("%s cannot be a default", a.Name)
		}
		decides = decides || disruptive[a.Name]
	}
	if phase == 0 || !decides {
		return errors.New("default actions need a phase and a disruptive action")
	}
	if p.defaults[phase] != nil {
		return fmt.Errorf("phase %d has default actions already", phase)
	}
	p.defaults[phase] = actions
	return nil
}

func (p *parser) defaultsOf(phase int) []Action {
	if d := p.defaults[phase]; d != nil || phase != 2 {
		return d
	}
	return []Action{{"phase", "2"}, {"log", ""}, {"auditlog", ""}, {"pass", ""}}
}

// mergeDefaults puts the defaults before a rule's own actions, so that these
// win; block stands for the disruptive default.
func mergeDefaults(own, defaults []Action) []Action {
	if defaults == nil {
		return own
	}
	var merged []Action
	var decision Action
	for _, a := range defaults {
		switch {
		case disruptive[a.Name]:
			decision = a
		case !metadata[a.Name]:
			merged = append(merged, a)
		}
	}
	decides := false
	for _, a := range own {
		if a.Name == "block" {
			continue
		}
		decides = decides || disruptive[a.Name]
		merged = append(merged, a)
	}
	if !decides {
		merged = append(merged, decision)
	}
	return merged
}
