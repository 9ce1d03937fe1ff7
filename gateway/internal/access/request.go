package access

import "portcullis/gateway/internal/pipeline"

// methods wants one of some methods.
type methods []Text

func (m methods) state(tx *pipeline.Transaction) pipeline.State {
	return stated(isOneOf(m, tx.Method()))
}

func (m methods) explain(tx *pipeline.Transaction) []pipeline.Reason {
	return []pipeline.Reason{reason("method is "+eitherOf(m), m.state(tx), quoted(tx.Method()), m[0].Place, "method "+eitherOf(m))}
}

// networks wants the source within one of some networks.
type networks []Network

func (n networks) state(tx *pipeline.Transaction) pipeline.State {
	source := tx.Source.Unmap().WithZone("")
	for _, network := range n {
		if network.Prefix.Contains(source) {
			return pipeline.Holds
		}
	}
	return pipeline.Fails
}

func (n networks) explain(tx *pipeline.Transaction) []pipeline.Reason {
	words := make([]string, len(n))
	for i, network := range n {
		words[i] = network.Prefix.String()
	}
	return []pipeline.Reason{reason("source is in "+either(words), n.state(tx), tx.Source.String(), n[0].Place, "source in "+either(words))}
}
