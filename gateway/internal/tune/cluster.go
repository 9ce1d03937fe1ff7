package tune

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"portcullis/gateway/internal/hits"
	"portcullis/gateway/internal/pipeline"
)

// Bounds on what recorded events can fill memory with.
const (
	clustersMost = 5000
	// clientsMost is how many clients are told apart for one rule in one cluster.
	clientsMost   = 256
	attackersMost = 100_000
	// toldApartMost is how many clients are told apart in all clusters together:
	// some tens of MiB.
	toldApartMost = 1_000_000
)

// clusters gathers findings by profile, route and target.
type clusters struct {
	seed maphash.Seed
	all  map[place]*cluster
	// attackers are those who sent what looks like an attack, by hash.
	attackers map[uint64]bool
	// left counts the findings that had no room, toldApart the clients of all
	// clusters.
	left, toldApart int
}

type place struct{ profile, route, target string }

type cluster struct {
	place
	rules map[int]*seen
	// requests is how many there were, refused how many of them were refused or
	// would have been, attacks how many look like attacks.
	requests, refused, attacks int
	last                       time.Time
	shape                      string
}

// seen is what is known of one rule in a cluster.
type seen struct {
	message string
	clients map[uint64]bool
}

func newClusters() *clusters {
	return &clusters{seed: maphash.MakeSeed(), all: map[place]*cluster{}, attackers: map[uint64]bool{}}
}

func (c *clusters) add(f hits.Finding) {
	client := maphash.String(c.seed, f.Client)
	attack := looksLikeAttack(f)
	if attack && len(c.attackers) < attackersMost {
		c.attackers[client] = true
	}
	touched := map[*cluster]bool{}
	for _, h := range f.Hits {
		if !h.Denies {
			continue // it refuses nobody
		}
		for _, at := range h.At {
			one := c.at(place{f.Profile, f.Route, at.Target})
			if one == nil {
				continue
			}
			c.see(one, h, client)
			if !attack || one.shape == "" {
				one.shape = at.Shape
			}
			touched[one] = true
		}
	}
	for one := range touched {
		one.requests++
		if attack {
			one.attacks++
		}
		if f.Verdict == pipeline.VerdictDenied || f.Verdict == pipeline.VerdictShadow {
			one.refused++
		}
		if f.Time.After(one.last) {
			one.last = f.Time
		}
	}
}

func (c *clusters) at(p place) *cluster {
	one := c.all[p]
	if one == nil {
		if len(c.all) == clustersMost {
			c.left++
			return nil
		}
		one = &cluster{place: p, rules: map[int]*seen{}}
		c.all[p] = one
	}
	return one
}

func (c *clusters) see(one *cluster, h pipeline.Hit, client uint64) {
	s := one.rules[h.Rule]
	if s == nil {
		if len(one.rules) == rulesMost {
			return
		}
		s = &seen{message: h.Message, clients: map[uint64]bool{}}
		one.rules[h.Rule] = s
	}
	switch {
	case s.clients[client] || len(s.clients) == clientsMost:
	case c.toldApart == toldApartMost:
		c.left++
	default:
		s.clients[client] = true
		c.toldApart++
	}
}

// rulesMost bounds the rules of one cluster.
const rulesMost = 64

// ordinary counts the clients of which nothing looks like an attack, for each
// rule, and tells them all together.
func (c *clusters) ordinary(one *cluster) (byRule map[int]int, together int) {
	byRule, clients := map[int]int{}, map[uint64]bool{}
	for id, s := range one.rules {
		for client := range s.clients {
			if !c.attackers[client] {
				byRule[id]++
				clients[client] = true
			}
		}
	}
	return byRule, len(clients)
}

// sorted are the clusters, those with the most requests first.
func (c *clusters) sorted() []*cluster {
	var all []*cluster
	for _, one := range c.all {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *cluster) int {
		return cmp.Or(-cmp.Compare(a.requests, b.requests), strings.Compare(a.profile, b.profile),
			strings.Compare(a.route, b.route), strings.Compare(a.target, b.target))
	})
	return all
}

// What looks like an attack: a score of several times the threshold, or rules of
// several kinds together. Sentences that people write match one rule or two.
const (
	attackScores = 3
	attackKinds  = 3
)

func looksLikeAttack(f hits.Finding) bool {
	if f.Threshold > 0 && f.Score >= attackScores*f.Threshold {
		return true
	}
	kinds := map[int]bool{}
	for _, h := range f.Hits {
		if kind := h.Rule / 1000; h.Denies && kind >= firstAttack && kind <= lastAttack {
			kinds[kind] = true
		}
	}
	return len(kinds) >= attackKinds
}

// The files of the Core Rule Set that look for attacks in values: 930 (files) to
// 944 (Java).
const firstAttack, lastAttack = 930, 944
