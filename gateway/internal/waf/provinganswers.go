package waf

import (
	"context"

	"portcullis/gateway/internal/pipeline"
)

// answerVerdict is what the proof says of an answer. It needs the request to be
// proved too: what the rules remember of that, they may use.
func (u *Use) answerVerdict(ctx context.Context, c *screen) (v pipeline.Proof) {
	p := &u.proving
	if !c.clean || !p.proves() {
		return v
	}
	defer u.recovered(ctx, "an answer", c.answer.id, &v)
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
	i.alarm(ctx, "an answer was proved clean and is not", id, found.Score, found.Rules)
}
