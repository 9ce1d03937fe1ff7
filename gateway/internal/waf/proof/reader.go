package proof

import (
	"fmt"
	"strings"

	"portcullis/gateway/internal/waf/seclang"
)

// reader is a rule's way to read variables of the transaction.
type reader struct {
	rule *seclang.Rule
	selection
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
