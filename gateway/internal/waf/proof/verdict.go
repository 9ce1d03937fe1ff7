package proof

import (
	"errors"
	"strconv"

	"portcullis/gateway/internal/waf/collect"
)

// Verdict is what is known about a request.
type Verdict struct {
	// Clean says that the engine would not have an effect on the request.
	Clean bool
	// Rule is the one whose condition is met, 0 when it is no rule that keeps
	// the request from being proved.
	Rule int
	// Why says what, for metrics; it has no part of the request in it.
	Why string
	// Narrow says of a request that is not clean that nothing but rules keeps it
	// from being so: the engine need be asked about those only that Check.Spared
	// does not list.
	Narrow bool
	// Dear says of a request that is neither that asking about those rules alone
	// would cost more than Within allows, as far as it has been read.
	Dear bool
}

// unsure notes that something else than a rule keeps a request from being clean;
// it returns false, to end a walk.
func (k *Check) unsure(why string) bool {
	k.broken = true
	if k.verdict.Clean {
		k.verdict = Verdict{Why: why}
	}
	return false
}

// said is the verdict when a walk has reached its end.
func (k *Check) said() Verdict {
	k.verdict.Narrow = !k.verdict.Clean && !k.broken && !k.upset
	return k.verdict
}

// ended is the verdict when a walk did not reach the end.
func (k *Check) ended(err error) Verdict {
	if !errors.Is(err, collect.ErrStopped) {
		k.unsure(err.Error())
	}
	k.broken = true
	return k.said()
}

// decide ends a step: rules whose links are all met have an effect.
func (k *Check) decide() {
	for _, r := range k.program.totals {
		if r.waits && !k.body {
			continue
		}
		switch {
		case r.head != nil && !k.mayCount(r.head):
		case !k.exempted(r, collect.Variables) && k.effective(r):
			k.finds(r, "a number")
		default:
			k.upset = k.upset || r.upsets
			k.keep(r)
		}
	}
	for _, r := range k.touched {
		if !k.verdict.Clean && !r.upsets {
			continue // it is kept, whether the rest of it is met or not
		}
		if k.met[r.number] == r.wanted && (k.body || !r.waits) && k.effective(r) {
			k.finds(r, "a chain")
		}
	}
}

// effective decides the links that look at no value.
func (k *Check) effective(r *rule) bool {
	for _, l := range r.counts {
		if !k.mayCount(l) {
			return false
		}
	}
	if len(r.contexts) == 0 {
		return true
	}
	k.state.reset()
	for i := range k.left {
		if left := &k.left[i]; left.link.rule == r && k.leave(left) {
			return true
		}
	}
	for _, l := range r.contexts {
		if !k.looksBack(l) {
			return false
		}
	}
	return true
}

// mayCount tells whether a number of members may meet a link. The engine
// compares the number of each selection by itself, and transforms it like any
// other value.
func (k *Check) mayCount(l *link) bool {
	argument, known := k.argument(l)
	if !known {
		return true
	}
	for i := range l.selections {
		if n, known := k.count(&l.selections[i]); !known || k.metBy(l, strconv.Itoa(n), argument) {
			return true
		}
	}
	return false
}

// count is how many members are selected. A selection covers no less than it does
// for the engine: when it has none, the engine has none.
func (k *Check) count(s *selection) (n int, known bool) {
	if s.name != "REQUEST_HEADERS" {
		return 0, k.body && k.counted[s.number] == 0
	}
	for f := range k.head.Fields {
		if name := k.head.Fields[f].Name; s.mayBe(name) && s.covers(name, k.lowered(name)) {
			n++
		}
	}
	return n, true
}
