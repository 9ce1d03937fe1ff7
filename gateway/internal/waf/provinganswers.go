package waf

import (
	"context"
	"log/slog"
	"runtime/debug"

	"portcullis/gateway/internal/pipeline"
)

// answerVerdict is what the proof says of an answer. It needs the request to be
// proved too: what the rules remember of that, they may use.
func (u *Use) answerVerdict(ctx context.Context, c *screen) (v pipeline.Proof) {
	p := &u.proving
	if !c.clean || !p.proves() {
		return v
	}
	defer func() {
		if r := recover(); r != nil {
			p.off.Store(true)
			v = pipeline.Proof{Asked: true, Why: panicked}
			p.meter.switchedOff()
			u.log.LogAttrs(ctx, slog.LevelError, "panic in the proof in front of the WAF engine over an answer; from now on the engine is asked about everything",
				slog.String("request", c.answer.id), slog.String("profile", u.profile.Name), slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
		}
	}()
	said := p.proveAnswer(&c.answer)
	return pipeline.Proof{Asked: true, Clean: said.Clean, Rule: said.Rule, Why: said.Why}
}

// compareAnswer holds what the engine made of an answer against a proof that it is
// clean.
func (u *Use) compareAnswer(ctx context.Context, c *screen, v pipeline.Proof, found leak, err error) {
	if v.Clean && err == nil && found.effect() {
		u.disprovedAnswer(ctx, c.answer.id, found)
	}
}

// effect tells whether the engine has found anything.
func (l leak) effect() bool { return l.interruption != nil || l.Score != 0 || len(l.Rules) > 0 }

// disprovedAnswer is disproved for an answer.
func (i *Inspector) disprovedAnswer(ctx context.Context, id string, found leak) {
	i.proving.meter.differs()
	if i.proving.off.Swap(true) {
		return // told already
	}
	i.proving.meter.switchedOff()
	i.log.LogAttrs(ctx, slog.LevelError, "an answer was proved clean and is not: the proof in front of the WAF engine is switched off for good; "+
		"write proof: off for the profile, and report this",
		slog.String("request", id), slog.String("profile", i.profile.Name), slog.String("mode", string(i.proving.mode)),
		slog.Int("score", found.Score), slog.Any("rules", found.Rules))
}
