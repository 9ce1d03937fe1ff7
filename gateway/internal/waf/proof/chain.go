package proof

import (
	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/transform"
)

// chain is a chain of transformations and who looks at its end.
type chain struct {
	node  *node
	links set
	// masks holds the masks of all links; nil when one has none, and so may be
	// met by any value.
	masks [][]match.Mask
	// shortest is how long a value must be at the end of the chain to have a
	// literal of one of the links.
	shortest int
}

// decoders are bytes of which a transformation can make any other byte.
var decoders = match.MaskOfByte('%') | match.MaskOfByte('&') | match.MaskOfByte('\\') | match.High

// growers are bytes that a transformation can make longer.
var growers = match.MaskOfByte('&') | match.MaskOfByte('\\') | match.High

// alive tells whether a value of this mask can meet one of the links at the end
// of a chain.
func (c *chain) alive(m match.Mask) bool {
	if c.masks == nil || m&decoders != 0 {
		return true
	}
	m |= match.MaskOfByte(' ') // comments and pluses become spaces
	if m&(match.Upper|match.Lower) != 0 {
		m |= match.Upper | match.Lower
	}
next:
	for _, masks := range c.masks {
		for _, need := range masks {
			if m&need == 0 {
				continue next
			}
		}
		return true
	}
	return false
}

// aliveRewritten tells whether a value can be long enough at the end of a chain
// that decodes it.
func (c *chain) aliveRewritten(m match.Mask, length int) bool {
	return m&growers != 0 || length >= c.shortest
}

// shrinks tells whether no step of a chain makes ordinary text longer.
func (c *chain) shrinks() bool {
	for n := c.node; n.step != nil; n = n.parent {
		switch n.step.Name {
		case "length", "hexencode", "sha1", "md5":
			return false
		}
	}
	return true
}

// shortest is the length of the shortest literal of the first set; 0 when there
// is none. Characters that fold to letters are longer than these.
func shortest(need match.Need) int {
	if len(need.Sets) == 0 {
		return 0
	}
	least := len(need.Sets[0][0])
	for _, text := range need.Sets[0] {
		least = min(least, len(text))
	}
	return least
}

// node is a step in the tree of all chains of transformations.
type node struct {
	id     int
	parent *node
	step   *transform.Transformation // nil at the root
	// trigger is a mask of which every value has a bit that the step changes.
	trigger match.Mask
	// always says that a step up to here changes every value.
	always   bool
	children []*node
}

// steps are the transformations from the root.
func (n *node) steps() []*transform.Transformation {
	if n.step == nil {
		return nil
	}
	return append(n.parent.steps(), n.step)
}

// child is the node that a transformation leads to; nil when it is not known.
func (c *compiler) child(n *node, name string) *node {
	step := c.transformations.Find(name)
	if step == nil {
		return nil
	}
	for _, child := range n.children {
		if child.step == step {
			return child
		}
	}
	child := &node{id: len(c.program.nodes), parent: n, step: step, trigger: triggerOf(step)}
	child.always = n.always || step.Touches(0)
	n.children = append(n.children, child)
	c.program.nodes = append(c.program.nodes, child)
	return child
}

// triggerOf is a mask of which every value has a bit that a transformation
// changes.
func triggerOf(t *transform.Transformation) (m match.Mask) {
	var bytes []byte
	for b := range 256 {
		if t.Touches(transform.SignsOf(string([]byte{byte(b)}))) {
			m |= match.MaskOfByte(byte(b))
		} else if b < 0x80 && !('0' < b && b <= '9' || 'a' < b && b <= 'z' || 'A' < b && b <= 'Z') {
			bytes = append(bytes, byte(b))
		}
	}
	// Some look at two bytes side by side; then either of them is a sign.
	for _, a := range bytes {
		for _, b := range bytes {
			if t.Touches(transform.SignsOf(string([]byte{'x', a, b, 'x'}))) || t.Touches(transform.SignsOf(string([]byte{a, b}))) {
				m |= match.MaskOfByte(a) | match.MaskOfByte(b)
			}
		}
	}
	return m
}
