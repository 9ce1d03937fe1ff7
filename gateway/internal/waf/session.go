package waf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"portcullis/gateway/internal/pipeline"
)

// session is what the engine knows of one request, which it has let pass.
type session struct {
	*Inspector
	engine types.Transaction
	state  plugintypes.TransactionState
}

// close gives the engine's memory back.
func (o *session) close() error {
	o.engine.ProcessLogging()
	if err := o.engine.Close(); err != nil {
		return fmt.Errorf("%w: %w", errEngine, err)
	}
	return nil
}

// leak is what the engine made of one answer.
type leak struct {
	pipeline.AnswerInspection
	// interruption is why the engine stopped the answer; nil when it may pass.
	interruption *types.Interruption
}

// firstLeak and lastLeak are the ids of the Core Rule Set's rules that look for
// leaks; what is after adds up.
const firstLeak, lastLeak = 950_000, 958_999

// errBroken says that the engine panicked: the session must not be closed, which
// would give it, half changed, to the next request.
var errBroken = errors.New("it panicked")

func broken(err error) bool { return errors.Is(err, errBroken) }

// answer shows the engine the answer to the request. The error is a fault of the
// engine.
func (o *session) answer(ctx context.Context, a *answer, most int) (found leak, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %w: %v", errEngine, errBroken, p)
			o.log.LogAttrs(ctx, slog.LevelError, "panic in the WAF engine over an answer", slog.String("request", a.id),
				slog.String("profile", o.profile.Name), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	stopped, err := o.show(a)
	found.Ran, found.Partly = true, a.partly
	found.interruption = stopped
	found.Score = scoreOf(o.state, "blocking_outbound_anomaly_score")
	found.Rules, found.Matches = o.effective(o.engine.MatchedRules(), most, leaks)
	found.Stopped = stopped != nil
	if found.Hits = o.hits(o.engine.MatchedRules(), len(found.Rules), leaks, nil); found.Hits != nil {
		found.Threshold = o.profile.Outbound
	}
	return found, err
}

// show feeds the engine phase by phase and returns as soon as it stops the answer.
func (o *session) show(a *answer) (*types.Interruption, error) {
	if !o.engine.IsResponseBodyAccessible() {
		return nil, fmt.Errorf("%w: it does not look at answers", errEngine)
	}
	for n := range a.Fields {
		o.engine.AddResponseHeader(a.Fields[n].Name, a.Fields[n].Value)
	}
	if stopped := o.engine.ProcessResponseHeaders(a.Status, a.Proto); stopped != nil {
		return stopped, nil
	}
	if !o.engine.IsResponseBodyProcessable() {
		return nil, fmt.Errorf("%w: it does not look at answers of this type", errEngine)
	}
	stopped, n, err := o.engine.WriteResponseBody(a.body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: taking the answer: %w", errEngine, err)
	case stopped != nil:
		return stopped, nil
	case n != len(a.body):
		return nil, fmt.Errorf("%w: it took %d of %d bytes of the answer", errEngine, n, len(a.body))
	}
	stopped, err = o.engine.ProcessResponseBody()
	if err != nil {
		return nil, fmt.Errorf("%w: reading the answer: %w", errEngine, err)
	}
	return stopped, nil
}

// leaks reports whether what matched is a rule that looks for leaks.
func leaks(m types.MatchedRule) bool {
	id := m.Rule().ID()
	return id >= firstLeak && id <= lastLeak && m.Message() != ""
}
