package token

import (
	"iter"
	"maps"
	"slices"
)

const (
	// maxRevocations bounds the memory of a set: a million take about 150 MB.
	maxRevocations = 1_000_000
	// forgetBatch is how many are forgotten while nobody can look.
	forgetBatch = 1024
)

// revoked is a set of revocations, indexed by what a token says.
type revoked struct {
	ids      map[string]cut // jti or grant
	keys     map[string]cut // kid
	clients  map[string]cut
	subjects map[string]cut
	all      map[string]cut // one at most, under ""
}

// cut is what revocations of one thing come to: tokens issued up to before are
// gone, and none of them lives after until.
type cut struct{ before, until int64 }

func newRevoked() *revoked {
	return &revoked{
		ids: map[string]cut{}, keys: map[string]cut{}, clients: map[string]cut{}, subjects: map[string]cut{}, all: map[string]cut{},
	}
}

func (s *revoked) of(kind string) map[string]cut {
	switch kind {
	case RevokeToken:
		return s.ids
	case RevokeKey:
		return s.keys
	case RevokeClient:
		return s.clients
	case RevokeSubject:
		return s.subjects
	default:
		return s.all
	}
}

func (s *revoked) maps() iter.Seq[map[string]cut] {
	return slices.Values([]map[string]cut{s.ids, s.keys, s.clients, s.subjects, s.all})
}

func (s *revoked) len() (n int) {
	for m := range s.maps() {
		n += len(m)
	}
	return n
}

// add takes a checked revocation in, unless no token it could concern lives at
// now (Unix seconds). Two of the same thing become one that does what both do.
func (s *revoked) add(v Revocation, now int64) error {
	if v.Until <= now {
		return nil
	}
	m := s.of(v.Kind)
	old, known := m[v.Value]
	if !known && s.len() >= maxRevocations {
		return errTooMany
	}
	if v.Kind == RevokeToken || v.Kind == RevokeKey {
		v.Before = maxSeconds
	}
	m[v.Value] = cut{max(old.before, v.Before), max(old.until, v.Until)}
	return nil
}

// holds reports whether any revocation concerns p.
func (s *revoked) holds(p *Principal) bool {
	issued := p.Issued.Unix()
	hit := func(m map[string]cut, value string) bool {
		c, found := m[value]
		return found && issued <= c.before
	}
	if hit(s.all, "") || hit(s.keys, p.KeyID) || hit(s.ids, p.TokenID) || hit(s.subjects, p.Subject) || hit(s.clients, p.Client) {
		return true
	}
	return slices.ContainsFunc(p.Lineage, func(id string) bool { return hit(s.ids, id) }) ||
		slices.ContainsFunc(p.Actors, func(sub string) bool { return hit(s.clients, sub) })
}

// ended lists, in small batches, what may be forgotten at now.
func (s *revoked) ended(now int64) iter.Seq2[map[string]cut, []string] {
	return func(yield func(map[string]cut, []string) bool) {
		for m := range s.maps() {
			var values []string
			for value, c := range maps.All(m) {
				if c.until <= now {
					values = append(values, value)
				}
			}
			for batch := range slices.Chunk(values, forgetBatch) {
				if !yield(m, batch) {
					return
				}
			}
		}
	}
}
