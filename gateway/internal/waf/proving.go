package waf

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf/proof"
	"portcullis/services/problem"
)

// Proof says what the proof in front of the engine is for. The zero value is
// ProofOn.
type Proof string

const (
	// ProofOn spares requests the engine that are proved clean.
	ProofOn Proof = "on"
	// ProofShadow asks both; the engine decides, and differences are counted.
	ProofShadow Proof = "shadow"
	// ProofOff asks the engine alone.
	ProofOff Proof = "off"
)

// proving is the proof of one profile. The zero value proves nothing.
type proving struct {
	*program // nil for none
	mode     Proof
	meter    *meter
	// every is of how many clean verdicts one is held against the engine.
	every uint32
}

// proves tells whether the proof is to be asked. One that was caught lying is
// asked only where nothing depends on it.
func (p *proving) proves() bool {
	return p.program != nil && p.prover != nil && (p.mode == ProofShadow || !p.off.Load())
}

// verdict is what the proof says of a request; not asked when there is none.
func (i *Inspector) verdict(ctx context.Context, s *subject) pipeline.Proof {
	v := i.said(ctx, s)
	switch m := i.proving.meter; {
	case !v.Asked:
	case v.Clean:
		m.clean()
	case v.Why == panicked:
		m.unsure(unsurePanic)
	default:
		m.unsure(v.Rule)
	}
	if v.Narrowed {
		i.proving.meter.narrows()
	}
	return v
}

// panicked is the reason of a proof that failed.
const panicked = "the proof failed"

// said is the verdict, uncounted.
func (i *Inspector) said(ctx context.Context, s *subject) pipeline.Proof {
	return i.saying(ctx, s, prover.prove)
}

// saidOfHead is what is known before the body is there.
func (i *Inspector) saidOfHead(ctx context.Context, s *subject) pipeline.Proof {
	return i.saying(ctx, s, prover.head)
}

// saying asks the proof.
func (i *Inspector) saying(ctx context.Context, s *subject, ask func(prover, *subject) proof.Verdict) (v pipeline.Proof) {
	p := &i.proving
	// What was known of the head may not stand for all: the proof can have been
	// switched off since.
	s.narrow, s.cost, s.dear = false, 0, false
	if !p.proves() {
		s.endCheck()
		return v
	}
	defer i.recovered(ctx, "a request", s.id, &v)
	s.most = i.profile.Cost
	said := ask(p.prover, s)
	s.narrow = said.Narrow && p.mode == ProofOn
	return pipeline.Proof{Asked: true, Clean: said.Clean, Rule: said.Rule, Why: said.Why, Narrowed: s.narrow}
}

// recovered is deferred where the proof is asked. A panic of it is no verdict: the
// engine gives that, here and from now on.
func (i *Inspector) recovered(ctx context.Context, what, id string, v *pipeline.Proof) {
	r := recover()
	if r == nil {
		return
	}
	*v = pipeline.Proof{Asked: true, Why: panicked}
	i.proving.off.Store(true)
	i.proving.meter.switchedOff()
	i.log.LogAttrs(ctx, slog.LevelError, "panic in the proof of "+what+" in front of the WAF engine; from now on the engine is asked about everything",
		slog.String("request", id), slog.String("profile", i.profile.Name), slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
}

// spares tells whether a request need not be shown to the engine.
func (p *proving) spares(v pipeline.Proof) bool { return v.Clean && p.mode != ProofShadow }

// proved is what the engine would have found in a request that is clean.
func (i *Inspector) proved(s *subject, v pipeline.Proof) pipeline.Inspection {
	return pipeline.Inspection{Profile: i.profile.Name, Ran: true, Proof: v, Excluded: i.excludedIn(s)}
}

// compare holds what the engine made of a request against a proof that it is
// clean. What the engine could not look at shows nothing.
func (i *Inspector) compare(ctx context.Context, s *subject, v pipeline.Proof, found finding, err error) {
	if !v.Clean {
		return
	}
	if refusal := effect(found, err); refusal != "" {
		i.disproved(ctx, s, found, refusal)
	}
}

// effect says what the engine would have done to a request; empty for nothing.
func effect(found finding, err error) string {
	_, refused := errors.AsType[*problem.Problem](err)
	switch {
	case refused:
		return "refuses its body"
	case err != nil:
		return "" // a fault of the engine
	case found.interruption != nil:
		return "refuses it"
	case found.Score != 0, len(found.Rules) > 0:
		return "has rules that match"
	}
	return ""
}

// disproved raises the alarm over a request that was proved clean and is not.
func (i *Inspector) disproved(ctx context.Context, s *subject, found finding, refusal string) {
	i.misjudged(ctx, s, found, "a request was proved clean and is not", refusal)
}

// misjudged raises it over any request on which the proof and the engine differ.
func (i *Inspector) misjudged(ctx context.Context, s *subject, found finding, what, refusal string) {
	i.alarm(ctx, what, s.id, found.Score, found.Rules,
		slog.String("the_engine", refusal), slog.String("method", s.Method), slog.String("body", s.format.processor()))
}

// alarm tells that the proof was wrong, and takes it out of the way. The log has
// no part of request and answer: it may hold a secret, and the event tells the rest.
func (i *Inspector) alarm(ctx context.Context, what, request string, score int, rules []int, more ...slog.Attr) {
	i.proving.meter.differs()
	if i.proving.off.Swap(true) {
		return // told already
	}
	i.proving.meter.switchedOff()
	i.log.LogAttrs(ctx, slog.LevelError, what+": the proof in front of the WAF engine is switched off for good; "+
		"write proof: off for the profile, and report this",
		append(more, slog.String("request", request), slog.String("profile", i.profile.Name), slog.String("mode", string(i.proving.mode)),
			slog.Int("score", score), slog.Any("rules", rules))...)
}

// Unprovable lists what the proof leaves to the engine, and why.
func (i *Inspector) Unprovable() []Unprovable {
	if i.proving.program == nil {
		return nil
	}
	return i.proving.unprovable
}

// startProving compiles the proof, unless it is off, and holds it against the
// engine.
func (i *Inspector) startProving(c Config) error {
	i.proving = proving{mode: i.profile.Proof, every: recheckEvery, meter: c.Metrics.of(i.profile.Name)}
	if i.profile.Proof == ProofOff {
		return nil
	}
	i.proving.program = c.Programs.of(i.directives, files(i.patches))
	for _, what := range i.proving.unprovable {
		c.Log.Warn("not provable", "profile", i.profile.Name, "what", what.What, "place", what.place())
	}
	if i.proving.off.Load() {
		i.proving.meter.switchedOff()
		c.Log.Error("the proof of these WAF rules was wrong before and stays switched off", "profile", i.profile.Name)
		return nil
	}
	return i.selfTest(selfTestShare)
}
