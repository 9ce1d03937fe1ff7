package compile

import "portcullis/gateway/internal/pipeline"

// shadow is the mode in which something is asked and decides nothing.
const shadow = "shadow"

// shadow is the counter of what something in mode shadow would have done; nil
// where nobody counts.
func (b *build) shadow(route, stage, rule string, would pipeline.Kind) pipeline.Counter {
	if b.Shadow == nil {
		return nil
	}
	b.next.series[Series{route, stage, rule}] = true
	return b.Shadow(route, stage, rule, would)
}
