package proof

import (
	"strings"

	"portcullis/gateway/internal/waf/collect"
)

// state is what earlier links of a rule left behind for later ones. Where the
// engine keeps the last value only, all are kept here: one of them it is.
type state struct {
	matched []string
	// captures holds for each group the texts it may have; a group that is not
	// known may have any.
	captures [10][]string
	known    [10]bool
	set      []variable
}

// variable is what a setvar made of a variable of the transaction.
type variable struct {
	key, value string
	known      bool
}

func (s *state) reset() {
	s.matched, s.set = s.matched[:0], s.set[:0]
	for n := range s.captures {
		s.captures[n] = s.captures[n][:0]
	}
	s.known = [10]bool{}
}

// forget lets go of the values themselves.
func (s *state) forget() {
	clear(s.matched[:cap(s.matched)])
	clear(s.set[:cap(s.set)])
	for n := range s.captures {
		clear(s.captures[n][:cap(s.captures[n])])
	}
}

// leave notes what a value leaves behind that met a link. The result is true
// when it cannot be told what else it may change.
func (k *Check) leave(left *leaving) bool {
	s, l := &k.state, left.link
	s.matched = append(s.matched, left.value)
	groups := s.capture(l, left.value)
	for i := range l.assigns {
		a := &l.assigns[i]
		for _, spelling := range spellings[left.variable] {
			now := &last{leaving: left, groups: groups, variable: spelling}
			set := variable{known: !a.remove}
			var ok bool
			if set.key, ok = k.expand(a.key, now); !ok {
				return true
			}
			set.key = strings.ToLower(set.key)
			for n := range l.foreign {
				if l.foreign[n].covers(set.key, set.key) {
					return true
				}
			}
			if set.value, ok = k.expand(a.value, now); !ok || set.value != "" && (set.value[0] == '+' || set.value[0] == '-') {
				set.known = false
			}
			s.set = append(s.set, set)
			if !now.spelt {
				break
			}
		}
	}
	return false
}

// spellings are the names that the engine may have for a variable when it names
// what was matched.
var spellings = func() (all [collect.Variables][]string) {
	for v := range all {
		all[v] = []string{collect.Variable(v).String()}
	}
	for _, v := range []collect.Variable{collect.ArgsGet, collect.ArgsPost} {
		all[v] = append(all[v], "ARGS")
	}
	for _, v := range []collect.Variable{collect.ArgsGetNames, collect.ArgsPostNames} {
		all[v] = append(all[v], "ARGS_NAMES")
	}
	return all
}()

// capture notes the groups of a value that met a link, and returns them; nil when
// there are none, or they are not known.
func (s *state) capture(l *link, value string) []string {
	if !l.captures {
		return nil
	}
	if l.pattern == nil || l.negated {
		s.known = [10]bool{} // the engine has set what we do not know
		return nil
	}
	groups := l.pattern.Captures(value)
	for n, text := range groups {
		s.captures[n] = append(s.captures[n], text)
		s.known[n] = true
	}
	return groups
}

// last is the value that met a link just now.
type last struct {
	*leaving
	groups   []string
	variable string // one of its spellings
	spelt    bool   // a template has asked for that
}

// expand puts values in for macros. It fails when one is not known, or may be
// one of several.
func (k *Check) expand(t template, now *last) (string, bool) {
	if len(t) == 1 && t[0].variable == "" {
		return t[0].text, true
	}
	room := k.arena.Room(templateRoom)
	for i := range t {
		p := &t[i]
		if p.variable == "" {
			room = append(room, p.text...)
			continue
		}
		text, ok := k.macro(p, now)
		if !ok {
			return "", false
		}
		room = append(room, text...)
	}
	return k.arena.Keep(room), true
}

const templateRoom = 256

func (k *Check) macro(p *piece, now *last) (string, bool) {
	switch p.variable {
	case "REQUEST_HEADERS":
		if k.head == nil {
			return "", false // an answer is proved without its request
		}
		k.pure = false
		for f := range k.head.Fields {
			if k.lowered(k.head.Fields[f].Name) == p.key {
				return k.head.Fields[f].Value, true
			}
		}
		return p.text, true // the engine leaves its name
	case "TX":
		if isCapture(p.key) {
			n := int(p.key[0] - '0')
			if now != nil {
				if n < len(now.groups) {
					return now.groups[n], true
				}
				return "", false
			}
			if !k.state.known[n] || len(k.state.captures[n]) != 1 {
				return "", false
			}
			return k.state.captures[n][0], true
		}
		found, n := "", 0
		for i := range k.state.set {
			if s := &k.state.set[i]; s.key == p.key {
				if !s.known {
					return "", false
				}
				found = s.value
				n++
			}
		}
		return found, n == 1 && now == nil
	case "MATCHED_VAR":
		if now != nil {
			return now.value, true
		}
	case "MATCHED_VAR_NAME":
		if now != nil {
			now.spelt = true
			if now.name == "" {
				return now.variable, true
			}
			return now.variable + ":" + now.name, true
		}
	}
	return "", false
}

// looksBack tells whether a link may be met by what earlier ones left behind.
func (k *Check) looksBack(l *link) bool {
	s := &k.state
	argument, known := k.argument(l)
	met := false
	try := func(value string) {
		if known && !k.metBy(l, value, argument) {
			return
		}
		met = true
		s.matched = append(s.matched, value)
		s.capture(l, value)
		for range l.assigns {
			s.set = append(s.set, variable{}) // nobody knows
		}
	}
	before := len(s.matched)
	variables := len(s.set)
	for i := range l.selections {
		of := &l.selections[i]
		switch {
		case of.name == "MATCHED_VARS" || of.name == "MATCHED_VAR":
			if of.key != "" || of.expression != nil || len(of.except) > 0 {
				return true
			}
			for n := range before {
				try(s.matched[n])
			}
		case of.name == "TX" && of.expression == nil && isCapture(of.key):
			n := int(of.key[0] - '0')
			if !s.known[n] {
				return true
			}
			for _, text := range s.captures[n][:len(s.captures[n]):len(s.captures[n])] {
				try(text)
			}
		case of.name == "TX":
			for n := range variables {
				v := s.set[n]
				if v.key == "" && !v.known {
					return true
				}
				if !of.covers(v.key, v.key) {
					continue
				}
				if !v.known {
					return true
				}
				try(v.value)
			}
			for _, constant := range l.constants {
				try(constant)
			}
		default:
			for _, v := range sources[of.name] {
				if k.present[v] || !k.body {
					return true
				}
			}
		}
	}
	return met
}

// metBy tells whether a value may meet a link; one that looks at every step may
// be met by any.
func (k *Check) metBy(l *link, value, argument string) bool {
	for _, step := range l.node.steps() {
		if l.every && l.operator(value, argument) != l.negated {
			return true
		}
		value = step.Apply(&k.arena, value)
	}
	if l.lower {
		value = k.program.lowercase.Apply(&k.arena, value)
	}
	return l.operator(value, argument) != l.negated
}
