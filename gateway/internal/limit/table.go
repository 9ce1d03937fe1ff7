package limit

import "sync"

// A table holds the state of one limit: for each key the time its debt is
// paid. It is a set-associative cache in the manner of a CPU's: a key may stand
// in one of the few entries of its set.
//
// Memory is bounded, and still no key is ever forgotten to its advantage. An
// entry whose debt is paid equals no entry, so it is reused first. When all of
// a set owe something and the table may not grow, a new key takes over the
// entry with the least debt, debt included (as in Metwally's Space-Saving). So
// whoever is not in the table owes no more than the least of his set, and that
// much is what he is charged when he returns: a flood of new keys never frees
// an offender. Its price is that strangers who share an overflowing set have
// shorter bursts, and in the end that all of a table's keys together are held
// to as much as fits in the table. Sets are picked by a seeded hash, so nobody
// can aim at one.
type table struct {
	// order is the order in which tables are locked; no two have the same.
	order  uint64
	shards [shards]shard
}

const (
	shards = 64 // enough that two cores seldom meet in one
	ways   = 8  // three cache lines to look through
)

// A shard is the unit of locking and of growth.
type shard struct {
	mu sync.Mutex
	// now is the latest time a decision was made at. Requests read their clock
	// before they get here, so their times may come out of order; judging all
	// by the latest keeps "debt is paid" true once it was.
	now  int64
	sets []set // a power of two
	most int   // sets
	_    [16]byte
}

type set [ways]entry

// An entry holds no pointer, so the garbage collector never walks a table.
type entry struct {
	key digest
	tat int64
}

// A digest is a seeded hash of a key, long enough that two never meet.
type digest struct{ hi, lo uint64 }

func newTable(order uint64, keys int) *table {
	t := &table{order: order}
	most := 1
	for most*2*ways*shards <= keys {
		most *= 2
	}
	for i := range t.shards {
		t.shards[i].sets = make([]set, 1)
		t.shards[i].most = most
	}
	return t
}

// forget empties the table.
func (t *table) forget() {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		s.sets, s.now = make([]set, 1), 0
		s.mu.Unlock()
	}
}

func (t *table) shard(k digest) *shard { return &t.shards[k.hi%shards] }

// find returns the entry that holds k, or else the one k is to take over.
func (s *shard) find(k digest, now int64) *entry {
	for {
		e := s.sets[k.lo&uint64(len(s.sets)-1)].find(k)
		if e.key == k || e.tat <= now || len(s.sets) == s.most {
			return e
		}
		s.grow(now)
	}
}

// find returns the entry that holds k, or else the one with the least debt.
func (s *set) find(k digest) *entry {
	least := &s[0]
	for i := range s {
		e := &s[i]
		if e.key == k {
			return e
		}
		if e.tat < least.tat {
			least = e
		}
	}
	return least
}

// grow doubles the sets. Each old set fills two new ones, so nothing is lost.
func (s *shard) grow(now int64) {
	sets := make([]set, 2*len(s.sets))
	for i := range s.sets {
		for way, e := range s.sets[i] {
			if e.tat > now {
				sets[e.key.lo&uint64(len(sets)-1)][way] = e
			}
		}
	}
	s.sets = sets
}
