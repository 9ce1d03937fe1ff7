package access

import (
	"slices"

	"portcullis/gateway/internal/pipeline"
)

// when wants a condition in CEL.
type when struct{ *When }

func (w when) state(tx *pipeline.Transaction) pipeline.State { return w.Condition.State(tx) }

// explain is a reason for each conjunct. Values of header fields and query
// parameters show where the route's log names them.
func (w when) explain(tx *pipeline.Transaction) []pipeline.Reason {
	visible := func(field string) bool { return tx.Route != nil && slices.Contains(tx.Route.Queries, field) }
	conjuncts := w.Condition.Explain(tx, visible)
	out := make([]pipeline.Reason, len(conjuncts))
	for i, c := range conjuncts {
		out[i] = reason(c.Text, c.State, c.Values, w.Places[i], c.Mend)
	}
	return out
}
