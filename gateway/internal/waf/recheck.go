package waf

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// recheckEvery is of how many clean verdicts, and of how many of narrowed runs,
	// one is held against the whole engine.
	recheckEvery = 1000
	// recheckQueue bounds how many wait, each with a body of up to MaxBody.
	recheckQueue = 16
	// recheckPause is how long one waits before it looks again for a free turn,
	// and recheckTries how often it looks.
	recheckPause = 20 * time.Millisecond
	recheckTries = 250
)

// recheck is a request that was proved clean, or its answer that was, or a request
// that some rules were asked about, to be shown to all rules.
type recheck struct {
	*Inspector
	subject *subject
	was     *judgement // nil for one that was proved clean
	answer  *answer    // nil for the request alone
}

// doubt takes note of some requests that were proved clean. Which ones, nobody
// can foresee.
func (g *Gate) doubt(i *Inspector, s *subject) { g.question(i, s, nil, nil) }

// question is doubt with what some rules came to, and with an answer; nil for none.
func (g *Gate) question(i *Inspector, s *subject, was *judgement, a *answer) {
	if i.proving.every == 0 || rand.Uint32N(i.proving.every) != 0 {
		return
	}
	if g.waiting.Load() > 0 { // the engine has better to do
		i.proving.meter.dropped()
		return
	}
	select {
	case g.rechecks <- recheck{i, s.kept(), was, a.kept()}:
	default:
		i.proving.meter.dropped()
		return
	}
	if g.rechecking.CompareAndSwap(false, true) {
		go g.work()
	}
}

// work shows the engine what waits, one after the other, and ends when nothing
// does any more.
func (g *Gate) work() {
	for {
		select {
		case r := <-g.rechecks:
			g.hold(r)
			continue
		default:
		}
		g.rechecking.Store(false)
		if len(g.rechecks) == 0 || !g.rechecking.CompareAndSwap(false, true) {
			return
		}
	}
}

// hold shows one request to the engine, when nobody who is waiting for an answer
// would have to wait for that.
func (g *Gate) hold(r recheck) {
	for range recheckTries {
		if g.waiting.Load() == 0 && g.tryEnter() {
			defer g.leave()
			r.again()
			return
		}
		time.Sleep(recheckPause)
	}
	r.proving.meter.dropped()
}

func (r recheck) again() {
	ctx := context.Background()
	if r.answer != nil {
		found, err := r.askBoth(r.subject.whole(), r.answer)
		r.proving.meter.rechecked()
		if err == nil && found.effect() {
			r.disprovedAnswer(ctx, r.answer.id, found)
		}
		return
	}
	if r.was != nil {
		r.narrowedAgain(ctx)
		return
	}
	found, err := r.inspect(ctx, r.subject, maxRules)
	r.proving.meter.rechecked()
	if refusal := effect(found, err); refusal != "" {
		r.disproved(ctx, r.subject, found, refusal)
	}
}
