// Package condition evaluates what rules say in CEL, the Common Expression
// Language: a few typed variables about one request, and an expression over
// them that is true or false. What could fail is refused when it is compiled:
// an unknown name, a wrong type, a result that is no truth, a cost without a
// bound. What remains (a claim that is absent, a header that stands twice) is
// Broken, and never taken for true or for false.
package condition

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"portcullis/gateway/internal/pipeline"
)

// Condition is one compiled expression. It is immutable and safe for
// concurrent use; routes and snapshots may share it.
type Condition struct {
	text    string
	env     *cel.Env
	program cel.Program
	pool    *sync.Pool // of *values
	uses    []Use
	reads   pipeline.Reads
	offsets []int
	asked   func() []part // the conjuncts, compiled when they are first explained
}

// Use is a variable that a condition speaks of.
type Use struct {
	Name string // token.sub
	// Offset is where it first stands in the text, in bytes.
	Offset int
}

// Uses are the variables the condition speaks of, in the order of the text.
func (c *Condition) Uses() []Use { return c.uses }

// Offsets are where the conjuncts of Explain stand in the text, in bytes.
func (c *Condition) Offsets() []int { return c.offsets }

// State is what the condition comes to for a request: Holds, Fails or Broken.
// As in CEL, one conjunct that is false makes the whole false, also beside one
// that is broken.
func (c *Condition) State(tx *pipeline.Transaction) pipeline.State {
	v := c.pool.Get().(*values)
	v.tx = tx
	state := evaluate(c.program, v)
	v.reset() // nothing of a request waits in the pool
	c.pool.Put(v)
	return state
}

// evaluate runs a program. It panics for nothing: CEL turns a panic below into
// an error.
func evaluate(p cel.Program, v *values) pipeline.State {
	out, _, err := p.Eval(v)
	switch {
	case err != nil:
		return pipeline.Broken
	case out == types.True:
		return pipeline.Holds
	case out == types.False:
		return pipeline.Fails
	default:
		return pipeline.Broken
	}
}
