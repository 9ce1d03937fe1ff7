package seclang

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// change applies a directive that removes rules written before it, or adds
// targets to them.
func (p *parser) change(name, value string) error {
	if p.open != nil {
		return fmt.Errorf("%s stands within a chain", name)
	}
	if value == "" {
		return fmt.Errorf("%s needs a value", name)
	}
	remove := func(which func(*Rule) bool) { p.policy.Rules = slices.DeleteFunc(p.policy.Rules, which) }
	switch name {
	case "secruleremovebytag":
		remove(func(r *Rule) bool { return r.tagged(value) })
	case "secruleremovebymsg":
		remove(func(r *Rule) bool { msg, ok := r.Value("msg"); return ok && msg == value })
	case "secruleremovebyid":
		for _, field := range strings.Fields(value) {
			least, most, err := parseRange(field)
			if err != nil {
				return err
			}
			// A range from 0 takes markers along in the engine.
			if least <= 0 {
				return fmt.Errorf("%q: expected ids above 0", field)
			}
			remove(func(r *Rule) bool { return r.Marker == "" && r.ID >= least && r.ID <= most })
		}
	case "secruleupdatetargetbytag":
		fields := strings.Fields(value)
		if len(fields) != 2 {
			return fmt.Errorf("expected a tag and variables, not %q", value)
		}
		tag := strings.Trim(fields[0], `"`)
		return p.extend(fields[1], func(r *Rule) bool { return r.tagged(tag) })
	case "secruleupdatetargetbyid":
		fields := strings.Fields(value)
		if len(fields) < 2 {
			return fmt.Errorf("expected ids and variables, not %q", value)
		}
		variables := fields[len(fields)-1]
		for _, field := range fields[:len(fields)-1] {
			least, most, err := parseRange(field)
			if err != nil {
				return err
			}
			if least == most {
				// The engine stops at the first single id.
				r := p.find(least)
				if r == nil {
					return fmt.Errorf("there is no rule %d to update", least)
				}
				return p.extend(variables, func(other *Rule) bool { return r == other })
			}
			if err := p.extend(variables, func(r *Rule) bool { return r.ID >= least && r.ID <= most }); err != nil {
				return err
			}
		}
	}
	return nil
}

// extend adds targets at the right of those of the rules.
func (p *parser) extend(variables string, which func(*Rule) bool) error {
	targets, err := parseTargets(strings.Trim(variables, `"`))
	if err != nil {
		return err
	}
	for _, r := range p.policy.Rules {
		if r.Marker == "" && which(r) {
			r.Targets = append(slices.Clip(r.Targets), targets...)
		}
	}
	return nil
}

// parseRange reads an id or two with a dash between them.
func parseRange(text string) (least, most int, err error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	least, err = strconv.Atoi(from)
	if err == nil {
		most, err = strconv.Atoi(to)
	}
	if err != nil || least > most {
		return 0, 0, fmt.Errorf("%q: expected the id of a rule, or two with a dash between them", text)
	}
	return least, most, nil
}
