package limit

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"
	"weak"
)

// DefaultKeys is how many keys a limit remembers unless told otherwise: 24 MiB
// when all are in use.
const DefaultKeys = 1 << 20

// fewestKeys is one set in each shard.
const fewestKeys = shards * ways

// Config is what an engine is made from.
type Config struct {
	// Keys bounds how many keys each limit remembers, so that a flood of one
	// limit's keys costs no other limit a key. It is rounded down to a power of
	// two; 0 means DefaultKeys. Memory, 24 bytes a key, is taken as keys come.
	Keys int
}

// Engine holds the counts behind all limits of a process. It outlives
// snapshots: limits bound later under the same name go on with the same counts.
type Engine struct {
	keys  int
	epoch time.Time
	seeds [2]maphash.Seed

	mu     sync.Mutex
	tables map[string]weak.Pointer[table]
	made   uint64
}

// NewEngine returns an engine without counts.
func NewEngine(c Config) (*Engine, error) {
	if c.Keys == 0 {
		c.Keys = DefaultKeys
	}
	if c.Keys < fewestKeys {
		return nil, fmt.Errorf("a limit cannot remember only %d keys: give at least %d, or 0 for %d", c.Keys, fewestKeys, DefaultKeys)
	}
	return &Engine{
		keys:   c.Keys,
		epoch:  time.Now(),
		seeds:  [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		tables: map[string]weak.Pointer[table]{},
	}, nil
}

// Bind readies limits to be decided together. A name that stands in limits
// twice, for instance as a default and on a route, counts once.
func (e *Engine) Bind(limits []Limit) *Set {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &Set{engine: e}
	for _, l := range limits {
		if slices.ContainsFunc(s.limits, func(b bound) bool { return b.Name == l.Name }) {
			continue
		}
		b := bound{Limit: l, rate: l.rate(), table: e.table(l.Name)}
		b.quota, b.window = l.quota()
		s.limits = append(s.limits, b)
	}
	// Everyone locks in this order, so nobody waits in a circle.
	slices.SortFunc(s.limits, func(a, b bound) int { return cmp.Compare(a.table.order, b.table.order) })
	return s
}

// table returns the state kept under a name. The engine holds tables weakly:
// a limit is forgotten with the last set that names it, else every renamed
// limit would stay for good.
func (e *Engine) table(name string) *table {
	if t := e.tables[name].Value(); t != nil {
		return t
	}
	for other, t := range e.tables {
		if t.Value() == nil {
			delete(e.tables, other)
		}
	}
	t := e.newTable()
	e.tables[name] = weak.Make(t)
	return t
}

// Forget clears the counts of all limits, and the latest time seen with them, so
// that a clock may go back: each test of a policy begins as if nobody had asked
// before. What Counter gave keeps its counts.
func (e *Engine) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, kept := range e.tables {
		if t := kept.Value(); t != nil {
			t.forget()
		}
	}
}

func (e *Engine) newTable() *table {
	e.made++
	return newTable(e.made, e.keys)
}

// now is t as tables keep time: nanoseconds by the monotonic clock where t has
// its reading, moved so far up that an empty entry's zero lies in the past.
func (e *Engine) now(t time.Time) int64 {
	return min(max(int64(t.Sub(e.epoch)), -farthest), farthest) + 2*farthest
}
