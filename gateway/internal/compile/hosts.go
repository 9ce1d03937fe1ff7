package compile

import "portcullis/policies/policy"

// hosts are those a route names; nil where it names all of the gateway's, so
// that it needs no table of its own. Validate takes a host only in the one
// spelling that requests are known by.
func (b *build) hosts(named []policy.Value[string]) []string {
	missing := map[string]bool{}
	if b.doc.Gateway != nil {
		for _, h := range b.doc.Gateway.Hosts {
			missing[h.V] = true
		}
	}
	for _, h := range named {
		delete(missing, h.V)
	}
	if len(missing) == 0 {
		return nil
	}
	return policy.Values(named)
}
