package hits

import (
	"math"
	"slices"
)

// kept is how many hashes an estimate holds: up to as many it counts exactly,
// and is within an eighth, mostly, from then on.
const kept = 64

// estimate counts different things in bounded memory, by the smallest of their
// hashes: the nearer these lie together, the more there are.
type estimate struct{ least []uint64 }

func (e *estimate) add(hash uint64) {
	i, known := slices.BinarySearch(e.least, hash)
	if known || i == kept {
		return
	}
	if len(e.least) == kept {
		e.least = e.least[:kept-1]
	}
	e.least = slices.Insert(e.least, i, hash)
}

func (e *estimate) count() int {
	if len(e.least) < kept {
		return len(e.least)
	}
	return int((kept - 1) / (float64(e.least[kept-1]) / math.MaxUint64))
}
