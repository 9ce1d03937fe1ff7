// Package tune proposes exclusions from recorded security events: it groups what
// the rules of the WAF found by profile, route and target, leaves out what looks
// like attacks, and proves of the rest that known-good requests pass with the
// exclusion and attacks do not.
package tune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"portcullis/gateway/internal/hits"
	"portcullis/gateway/internal/trial"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// Config is what a Tuner needs.
type Config struct {
	// Document is the policy, which has passed policy.Check.
	Document *policy.Document
	// Clients is from how many ordinary clients a rule must have been seen at a
	// target; default 3.
	Clients int
	// Attacks is how many of the Core Rule Set's attacks are tried at the target
	// of an exclusion, and a third of that at each other one; default 300, -1 for
	// all.
	Attacks int
}

const (
	clientsDefault = 3
	attacksDefault = 300
	// proposalsMost bounds how many are proved: each takes some seconds.
	proposalsMost = 50
)

// Tuner gathers events and known-good requests, and reports. It is for one
// goroutine.
type Tuner struct {
	doc      *policy.Document
	gateway  *trial.Trial
	clients  int
	tried    int
	clusters *clusters
	good     []good
	attacks  []Attack // read when they are first needed
	// before are the rules as the policies have them, by profile: a client that
	// makes up names has thousands of clusters, and loading takes its time.
	before map[string]*waf.Attempt
}

// New returns a tuner that knows the policies' own tests. The error holds every
// mistake that compiling the policies finds.
func New(ctx context.Context, c Config) (*Tuner, error) {
	if c.Document == nil {
		return nil, errors.New("tune: a document is required")
	}
	gateway, err := trial.New(trial.Config{Document: c.Document})
	if err != nil {
		return nil, err
	}
	t := &Tuner{doc: c.Document, gateway: gateway, clients: c.Clients, tried: c.Attacks, clusters: newClusters(), before: map[string]*waf.Attempt{}}
	if t.clients == 0 {
		t.clients = clientsDefault
	}
	if t.tried == 0 {
		t.tried = attacksDefault
	}
	t.good = goodTests(ctx, gateway, c.Document)
	return t, nil
}

// Add takes in one security event.
func (t *Tuner) Add(f hits.Finding) { t.clusters.add(f) }

// AddGood reads a file of requests that are known to be no attacks; name is for
// messages.
func (t *Tuner) AddGood(ctx context.Context, name string, r io.Reader) error {
	all, err := readGood(ctx, t.gateway, name, r)
	t.good = append(t.good, all...)
	return err
}

// Report is what came of it.
type Report struct {
	Proposals []*Proposal
	Declined  []Declined
	// LeftOut counts what had no room.
	LeftOut int
}

// Declined is a cluster for which nothing is proposed, and why.
type Declined struct{ Profile, Route, Target, Rules, Why string }

// Report proposes what can be proposed. The error says that ctx has ended, or
// that rules could not be loaded.
func (t *Tuner) Report(ctx context.Context) (*Report, error) {
	r := &Report{LeftOut: t.clusters.left}
	for _, c := range t.clusters.sorted() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var p *Proposal
		var why string
		var err error
		if len(r.Proposals) < proposalsMost {
			if why = r.covers(c); why == "" {
				p, why, err = t.propose(c)
			}
		} else {
			why = "there are many proposals already: take those first"
		}
		switch {
		case err != nil:
			return nil, err
		case p != nil:
			r.Proposals = append(r.Proposals, p)
		default:
			r.Declined = append(r.Declined, Declined{c.profile, c.route, c.target, ruleList(c.ids()), why})
		}
	}
	return r, nil
}

// covers tells whether what is proposed already, for another route of the same
// profile, is all that a cluster needs.
func (r *Report) covers(c *cluster) string {
	for _, p := range r.Proposals {
		if p.Profile != c.profile || !strings.EqualFold(p.Exclusion.Target, c.target) {
			continue
		}
		if !slices.ContainsFunc(c.ids(), func(id int) bool { return !slices.Contains(p.Exclusion.Rules, id) }) {
			return fmt.Sprintf("the exclusion proposed for route %s holds here too", p.Route)
		}
	}
	return ""
}

// ids are the rules of a cluster, in order.
func (c *cluster) ids() []int {
	var all []int
	for id := range c.rules {
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}

func ruleList(ids []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ", "), "[]")
}
