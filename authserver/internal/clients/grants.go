package clients

import (
	"io/fs"
	"maps"
	"slices"

	"portcullis/authserver/internal/issue"
	"portcullis/policies/policy"
)

// Grants are the clients of one version of the policy files. They never
// change.
type Grants struct {
	// Version is the document's: a hash over the files.
	Version string
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
	g := &Grants{Version: doc.Version, clients: make(map[string]issue.Client, len(doc.Clients))}
	for _, c := range doc.Clients {
		g.clients[c.Name.V] = client(c)
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

func client(c *policy.Client) issue.Client {
	out := issue.Client{ID: c.Name.V, Grants: plain(c.Grants), Lifetime: c.Lifetime.V}
	for _, a := range c.Audiences {
		out.Audiences = append(out.Audiences, issue.Audience{Name: a.Name.V, Scopes: plain(a.Scopes)})
	}
	return out
}

func plain(values []policy.Value[string]) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.V
	}
	return out
}
