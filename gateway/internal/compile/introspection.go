package compile

import (
	"fmt"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/access"
	"portcullis/policies/policy"
)

// introspection is all that asking an issuer about tokens depends on.
type introspection struct {
	client, secret, keyID, endpoint, tokens string
	believe                                 time.Duration
}

// introspection reads how an issuer is asked, with its secret; both are nil for
// one that is not, and where tokens are made here and nobody can be asked. ok is
// false when a mistake has been recorded.
func (b *build) introspection(p *policy.Issuer) (of introspection, cfg *token.IntrospectionConfig, ok bool) {
	if !p.Introspects || b.Keys != nil {
		return of, nil, true
	}
	i := p.Introspection
	of = introspection{client: i.Client.V, endpoint: i.Endpoint.V, tokens: i.Tokens.V, believe: i.Cache.V}
	cfg = &token.IntrospectionConfig{URL: of.endpoint, ClientID: of.client, Tokens: of.tokens, Believe: of.believe}
	if i.Key.Set {
		key, err := b.clientKey(i.Key.V)
		if err != nil {
			b.wrong(i.Key.Pos, CodeSecret, fmt.Sprintf("issuer %q: %v", p.Name.V, err), "")
			return of, nil, false
		}
		cfg.Key, of.keyID = key, key.ID()
		return of, cfg, true
	}
	secret, err := b.expand(i.Secret)
	if err != nil {
		b.wrong(i.Secret.Pos, CodeSecret, fmt.Sprintf("issuer %q: %v", p.Name.V, err), "")
		return of, nil, false
	}
	of.secret = secret
	cfg.Secret = func() (string, error) { return secret, nil }
	return of, cfg, true
}

// clientKey reads a private key; another under the same name makes another
// snapshot.
func (b *build) clientKey(path string) (*token.ClientKey, error) {
	if b.ClientKey == nil {
		return nil, fmt.Errorf("the key in %q: no key can be read here", path)
	}
	key, err := b.ClientKey(path)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(b.secrets, "%d %s %s\n", len(path), path, key.ID())
	return key, nil
}

// asking is the verifier of a route: the one of its issuers that has introspection
// is asked about tokens that are no JWT, and no other issuer ever is.
func (b *build) asking(issuers []policy.Value[string]) (access.Verifier, error) {
	asked := ""
	for _, name := range issuers {
		if b.next.issuers[name.V].asked.client != "" { // Validate has found no second one
			asked = name.V
		}
	}
	return b.next.verifier.Asking(asked)
}
