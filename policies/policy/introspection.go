package policy

import (
	"fmt"
	"slices"
	"time"
)

func (v *validator) introspection(i *Issuer) {
	if !i.Introspects {
		return
	}
	p := i.Introspection
	v.visible(p.Client, "a client id")
	v.duration(p.Cache, time.Second, beliefMost)
	if p.Endpoint.Set {
		if u, ok := v.origin(p.Endpoint, true); ok {
			v.secret(p.Endpoint, u, "tokens and who we are would travel")
		}
	}
	switch {
	case p.Secret.Set && p.Key.Set:
		v.report(p.Key.Pos, CodeConflict, "a secret and a key are two proofs of one client", "", "leave one of them out")
	case !p.Secret.Set && !p.Key.Set:
		v.missing(p.Pos, fmt.Sprintf("client %q has nothing to prove itself with: add secret: ${file:/run/secrets/NAME}, or key: with the path of its private key", p.Client.V))
	}
}

// opaque reports two issuers of one list that are both asked about tokens that do
// not say whose they are.
func (v *validator) opaque(names []Value[string]) {
	var asked *Value[string]
	for n, name := range names {
		i := slices.IndexFunc(v.doc.Issuers, func(i *Issuer) bool { return i.Name.V == name.V })
		switch {
		case i < 0 || !v.doc.Issuers[i].Introspects:
		case asked == nil:
			asked = &names[n]
		default:
			v.report(name.Pos, CodeConflict, fmt.Sprintf("issuers %q and %q would both be asked about a token that is no JWT", asked.V, name.V),
				"it does not say whose it is, and would be shown to one whom it does not concern", "give the two issuers routes of their own, or take introspection from one of them")
			return
		}
	}
}
