package clients

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/token"
	"portcullis/policies/policy"
)

// Grants are the clients of one version of the policy files. They never
// change.
type Grants struct {
	// Version is the document's: a hash over the files.
	Version string
	// Issuers are those whose tokens may be exchanged, besides our own.
	Issuers []*policy.Issuer
	clients map[string]issue.Client
}

// Load reads the grants from the policy folder. The error is policy.Mistakes:
// all that is wrong in any of its files, since half a policy is none.
func Load(policies fs.FS, env func(string) (string, bool)) (*Grants, error) {
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	doc, err := policy.Check(policies, env)
	if err != nil {
		return nil, err
	}
	g := &Grants{Version: doc.Version, Issuers: doc.Issuers, clients: make(map[string]issue.Client, len(doc.Clients))}
	for _, c := range doc.Clients {
		if g.clients[c.Name.V], err = client(c); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Client finds a client by its name.
func (g *Grants) Client(name string) (issue.Client, bool) {
	c, ok := g.clients[name]
	return c, ok
}

// Names are the clients' names, sorted.
func (g *Grants) Names() []string { return slices.Sorted(maps.Keys(g.clients)) }

func client(c *policy.Client) (issue.Client, error) {
	out := issue.Client{
		ID: c.Name.V, Grants: plain(c.Grants), Serves: plain(c.Serves), Lifetime: c.Lifetime.V, Refresh: c.Refresh.V,
		Public: c.Public.V, Redirects: plain(c.Redirects), PostLogout: plain(c.PostLogout),
	}
	if len(out.Serves) == 0 {
		out.Serves = []string{out.ID}
	}
	for _, a := range c.Audiences {
		out.Audiences = append(out.Audiences, issue.Audience{Name: a.Name.V, Scopes: plain(a.Scopes), MayAct: a.MayAct.V})
	}
	for _, k := range c.Keys {
		key, err := token.ParsePublicKey([]byte(k.V))
		if err != nil {
			return out, fmt.Errorf("%s:%d: a key of client %q: %w", k.Pos.File, k.Pos.Line, out.ID, err)
		}
		out.Keys = append(out.Keys, key)
	}
	return out, nil
}

func plain(values []policy.Value[string]) []string {
	if len(values) == 0 {
		return nil
	}
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.V
	}
	return out
}
