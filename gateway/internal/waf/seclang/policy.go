// Package seclang reads the rule language of ModSecurity, Coraza and the OWASP
// Core Rule Set into plain data, in the engine's own way.
//
// Who proves something about a policy must read it as the engine does. So this
// parser follows the engine's order (a removal works on the rules before it, an
// exception on the targets left of it), and what it cannot read in that way is
// an error: a policy that is not understood is one that nothing is proved
// about. Directives that are no rules are kept by name for whoever has to decide
// what they change.
package seclang

import "fmt"

// Place is where something was written. File is empty for text that was given
// and not included.
type Place struct {
	File string
	Line int
}

func (p Place) String() string {
	if p.File == "" {
		return fmt.Sprintf("line %d", p.Line)
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Policy is what a text and all it includes say.
type Policy struct {
	// Rules stand in the order in which the engine evaluates them, markers
	// among them.
	Rules []*Rule
	// Settings are the directives that are no rules and change none, in order.
	Settings []Setting
}

// Setting is a directive such as SecRuleEngine On.
type Setting struct {
	Place
	// Name is in lower case, Value without quotes around it.
	Name, Value string
}

// Rule is a SecRule or a SecAction, a link of a chain, or a marker.
type Rule struct {
	Place
	// ID is 0 for a marker, a link and a rule without one.
	ID int
	// Phase is 1 to 5; 0 for a marker and a link.
	Phase int
	// Marker is the name of a SecMarker.
	Marker string
	// Targets in the order in which the engine collects them; none for a
	// SecAction, which always matches.
	Targets []Target
	// Operator is nil for a SecAction.
	Operator *Operator
	// Actions are those of the rule and the defaults of its phase, as the engine
	// merges them. Names are in lower case.
	Actions []Action
	// Transformations are the names after the last t:none, as written.
	Transformations []string
	// Chain is the next link; it is evaluated when this one has matched.
	Chain *Rule
}

// Target is a variable, or an exception to those left of it.
type Target struct {
	// Variable is in upper case.
	Variable string
	// Key selects a member; as written, without the slashes of an expression.
	Key string
	// Expression says that Key is a regular expression.
	Expression bool
	// Count asks for the number of members, Except leaves them out.
	Count, Except bool
}

// Operator is what values are compared with.
type Operator struct {
	// Name is without the @ and as written: the engine tells rX from rx.
	Name     string
	Argument string
	Negated  bool
}

// Action is one action of a rule.
type Action struct{ Name, Value string }

// Has tells whether the rule itself, not a later link, has the action.
func (r *Rule) Has(action string) bool {
	_, ok := r.Value(action)
	return ok
}

// Value is the value of the last action of this name.
func (r *Rule) Value(action string) (string, bool) {
	for n := len(r.Actions) - 1; n >= 0; n-- {
		if r.Actions[n].Name == action {
			return r.Actions[n].Value, true
		}
	}
	return "", false
}

// Logs tells whether the engine logs the rule when it matches: the last word
// about logging counts.
func (r *Rule) Logs() (log bool) {
	for _, a := range r.Actions {
		switch a.Name {
		case "log":
			log = true
		case "nolog":
			log = false
		}
	}
	return log
}

// Links returns the rule and the links of its chain.
func (r *Rule) Links() []*Rule {
	var links []*Rule
	for ; r != nil; r = r.Chain {
		links = append(links, r)
	}
	return links
}

// tagged tells whether the rule has this tag.
func (r *Rule) tagged(tag string) bool {
	for _, a := range r.Actions {
		if a.Name == "tag" && a.Value == tag {
			return true
		}
	}
	return false
}
