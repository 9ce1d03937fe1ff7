package limit

import (
	"slices"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// Set is limits that are decided together. It is safe for concurrent use.
type Set struct {
	engine *Engine
	limits []bound // by table.order
}

// bound is a limit with its state.
type bound struct {
	Limit
	rate   rate
	table  *table
	quota  int
	window time.Duration
}

// hold is one limit of one decision, its shard locked.
type hold struct {
	limit *bound
	key   digest
	shard *shard
	entry *entry
	base  int64
}

// usual is how many limits a request has at most before a decision allocates.
const usual = 8

// Decide counts one request at a time. It appends how each limit that applies
// to the caller stands afterwards, and returns nil when all of them admit the
// request, else the state of the one that makes it wait longest. A request that
// one of them refuses is charged to none.
func (s *Set) Decide(at time.Time, c Caller, states []pipeline.LimitState) ([]pipeline.LimitState, *pipeline.LimitState) {
	var buf [usual]hold
	holds := buf[:0]
	now := s.engine.now(at)
	for i := range s.limits {
		l := &s.limits[i]
		if !l.appliesTo(c) {
			continue
		}
		k := s.engine.digest(l.By, c)
		shard := l.table.shard(k)
		shard.mu.Lock()
		now = max(now, shard.now)
		holds = append(holds, hold{limit: l, key: k, shard: shard})
	}

	admitted := true
	for i := range holds {
		h := &holds[i]
		h.shard.now = now
		h.entry = h.shard.find(h.key, now)
		base, ok := decide(now, h.entry.tat, h.limit.rate)
		h.base = base
		admitted = admitted && ok
	}
	for i := range holds {
		h := &holds[i]
		if admitted {
			h.base += h.limit.rate.interval
			*h.entry = entry{h.key, h.base}
		} else {
			// Only ever lowers: debt that decide cut stays cut, or Retry-After
			// would promise what the next decision does not keep.
			h.entry.tat = min(h.entry.tat, h.base)
		}
		h.shard.mu.Unlock()
	}

	first := len(states)
	for i := range holds {
		states = append(states, holds[i].state(now))
	}
	if admitted {
		return states, nil
	}
	longest := first
	for i := first + 1; i < len(states); i++ {
		if states[i].RetryAfter > states[longest].RetryAfter {
			longest = i
		}
	}
	return states, &states[longest]
}

func (h *hold) state(now int64) pipeline.LimitState {
	l := h.limit
	return pipeline.LimitState{
		Name:       l.Name,
		Quota:      l.quota,
		Window:     l.window,
		Remaining:  l.rate.remaining(now, h.base),
		Reset:      time.Duration(max(0, h.base-now)),
		RetryAfter: l.rate.wait(now, h.base),
	}
}

// appliesTo reports whether the limit counts this caller.
func (l *bound) appliesTo(c Caller) bool {
	if len(l.Clients) == 0 {
		return true
	}
	return c.Principal != nil && slices.Contains(l.Clients, c.Principal.Client)
}

// named is the limit of a name that the set has.
func (s *Set) named(name string) *bound {
	for i := range s.limits {
		if s.limits[i].Name == name {
			return &s.limits[i]
		}
	}
	return &bound{}
}
