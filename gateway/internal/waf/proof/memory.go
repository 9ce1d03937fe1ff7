package proof

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"

	"portcullis/gateway/internal/waf/collect"
)

const (
	// memorySlots and longestRemembered bound what a program remembers to less
	// than a mebibyte.
	memorySlots       = 2048
	longestRemembered = 300
)

// memory holds values that were found clean. Clients repeat their headers. A
// newcomer takes the slot of whoever was there: a flood of new values costs time
// and nothing else.
type memory struct {
	seeds [3]maphash.Seed
	slots [memorySlots]atomic.Pointer[remembered]
}

// remembered is a value that by itself decides no rule, whatever else a request
// holds and whatever it is the value of. A public value is kept as it is, so
// that no two are taken for each other; another by 128 bits of digests whose
// keys nobody knows.
type remembered struct {
	plan   *plan
	how    remembering
	value  string
	digest [2]uint64
	// met are the links of longer rules that the value does meet, as it is; kept
	// are the rules of which it met a part and not the rest.
	met  []*link
	kept []*rule
}

func newMemory() *memory {
	return &memory{seeds: [3]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed(), maphash.MakeSeed()}}
}

// slotsOf are the two places where a value may be.
func (m *memory) slotsOf(p *plan, value string) (one, other *atomic.Pointer[remembered]) {
	h := maphash.String(m.seeds[0], value) ^ uint64(p.number)*0x9e3779b97f4a7c15
	return &m.slots[h%memorySlots], &m.slots[h>>32%memorySlots]
}

func (m *memory) digest(value string) [2]uint64 {
	return [2]uint64{maphash.String(m.seeds[1], value), maphash.String(m.seeds[2], value)}
}

// find returns what is known of a value, nil when it is new.
func (m *memory) find(p *plan, value string, how remembering) *remembered {
	one, other := m.slotsOf(p, value)
	if r := one.Load(); r != nil && m.is(r, p, value, how) {
		return r
	}
	if r := other.Load(); r != nil && m.is(r, p, value, how) {
		return r
	}
	return nil
}

func (m *memory) is(r *remembered, p *plan, value string, how remembering) bool {
	if r.plan != p || r.how != how {
		return false
	}
	if how == byDigest {
		return r.digest == m.digest(value)
	}
	return r.value == value
}

func (m *memory) keep(p *plan, value string, how remembering, met []*link, kept []*rule) {
	r := &remembered{plan: p, how: how, met: slices.Clone(met), kept: slices.Clone(kept)}
	if how == byDigest {
		r.digest = m.digest(value)
	} else {
		r.value = strings.Clone(value)
	}
	one, other := m.slotsOf(p, value)
	if one.Load() != nil && other.Load() == nil {
		one = other
	}
	one.Store(r)
}

// remembering says whether and how a value may be remembered.
type remembering int

const (
	never remembering = iota
	asItIs
	byDigest
)

// memorable are the header fields whose values may be remembered: those that
// say what a client is and wants. None holds a secret, as Authorization, Cookie,
// fields of an application's own and addresses do.
var memorable = map[string]bool{
	"accept": true, "accept-charset": true, "accept-encoding": true, "accept-language": true, "cache-control": true, "connection": true,
	"content-type": true, "dnt": true, "host": true, "origin": true, "pragma": true, "priority": true, "sec-ch-ua": true,
	"sec-ch-ua-mobile": true, "sec-ch-ua-platform": true, "sec-fetch-dest": true, "sec-fetch-mode": true, "sec-fetch-site": true,
	"sec-fetch-user": true, "te": true, "upgrade-insecure-requests": true, "user-agent": true, "x-forwarded-proto": true, "x-requested-with": true,
}

// remembers tells whether a value may be remembered: names, and what is public.
// A Referer may hold what a page was opened with.
func remembers(v collect.Variable, lowerName, value string) remembering {
	if len(value) > longestRemembered {
		return never
	}
	switch v {
	case collect.HeadersNames, collect.ArgsGetNames, collect.ArgsPostNames, collect.CookiesNames:
		if len(value) <= 64 {
			return asItIs
		}
	case collect.Method, collect.Protocol, collect.BodyProcessor, collect.BodyLength, collect.FilesCombinedSize:
		return asItIs
	case collect.Headers:
		if memorable[lowerName] {
			return asItIs
		}
		if lowerName == "referer" {
			return byDigest
		}
	}
	return never
}
