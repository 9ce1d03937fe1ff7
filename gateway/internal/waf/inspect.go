package waf

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// finding is what the engine made of one request.
type finding struct {
	pipeline.Inspection
	// interruption is why the engine stopped the request; nil when it may pass.
	interruption *types.Interruption
}

// inspect runs a request through the rules. The error is a denial when the
// engine would read the body in another way than was bounded, else a fault. A
// panic of the engine is a fault like any other. What matched is told of at most
// most rules.
func (i *Inspector) inspect(ctx context.Context, s *subject, most int) (finding, error) {
	return i.inspectThen(ctx, s, most, nil)
}

// inspectThen is inspect, and gives then what the engine knows of a request that
// may pass, to show it the answer. Whoever takes it must close it.
func (i *Inspector) inspectThen(ctx context.Context, s *subject, most int, then func(*session)) (found finding, err error) {
	found.Profile = i.profile.Name
	defer func() {
		if p := recover(); p != nil {
			// The transaction is not closed: closing would give it, half
			// changed, to the next request.
			err = fmt.Errorf("%w: panic: %v", errEngine, p)
			i.log.LogAttrs(ctx, slog.LevelError, "panic in the WAF engine", slog.String("request", s.id),
				slog.String("profile", i.profile.Name), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	engine := i.engine.NewTransaction()
	state, ok := engine.(plugintypes.TransactionState)
	if !ok {
		return found, fmt.Errorf("%w: it does not show the state of a transaction", errEngine)
	}
	if engine.IsRuleEngineOff() || !engine.IsRequestBodyAccessible() {
		return found, fmt.Errorf("%w: it is switched off", errEngine)
	}
	s.narrowing(engine)
	stopped, err := i.run(engine, state, s)
	found.Ran = true
	found.interruption = stopped
	found.Score = score(state)
	found.Rules, found.Matches = i.effective(engine.MatchedRules(), most, i.counts)
	found.Excluded = i.excluded(state)
	found.Stopped = stopped != nil
	if found.Hits = i.hits(engine.MatchedRules(), len(found.Rules), i.counts, s); found.Hits != nil {
		found.Threshold = i.profile.Inbound
	}
	opened := &session{i, engine, state}
	if then != nil && err == nil && stopped == nil {
		then(opened)
		return found, nil
	}
	if closing := opened.close(); err == nil && closing != nil {
		err = closing
	}
	return found, err
}

// run feeds the engine phase by phase and returns as soon as it stops the
// request.
func (i *Inspector) run(engine types.Transaction, state plugintypes.TransactionState, s *subject) (*types.Interruption, error) {
	engine.ProcessConnection(s.Source, 0, "", 0)
	engine.ProcessURI(s.Target, s.Method, s.Proto)
	engine.SetServerName(s.host)
	for n := range s.Fields {
		engine.AddRequestHeader(s.Fields[n].Name, s.Fields[n].Value)
	}
	if stopped := engine.ProcessRequestHeaders(); stopped != nil {
		return stopped, nil
	}
	if s.early {
		return nil, nil
	}
	if len(s.body) > 0 {
		// Now the rules have chosen how to read the body. Whoever makes them
		// choose otherwise than a backend would, hides the body from them.
		if chosen := state.Variables().RequestBodyProcessor().Get(); chosen != s.format.processor() {
			return nil, problem.New(problem.UnsupportedMedia, "The Content-Type cannot be read.").
				Because(fmt.Errorf("the body would be inspected as %q, not %q", chosen, s.format.processor()))
		}
		stopped, n, err := engine.WriteRequestBody(s.body)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: taking the body: %w", errEngine, err)
		case stopped != nil:
			return stopped, nil
		case n != len(s.body):
			return nil, fmt.Errorf("%w: it took %d of %d bytes of the body", errEngine, n, len(s.body))
		}
	}
	stopped, err := engine.ProcessRequestBody()
	if err != nil {
		return nil, fmt.Errorf("%w: reading the body: %w", errEngine, err)
	}
	if len(state.Variables().FilesTmpNames().FindAll()) > 0 {
		return nil, fmt.Errorf("%w: it wrote a file of the request to the disk", errEngine)
	}
	return stopped, nil
}

// score is the anomaly score that the rules of the blocking paranoia level gave.
func score(state plugintypes.TransactionState) int {
	return scoreOf(state, "blocking_inbound_anomaly_score")
}

func scoreOf(state plugintypes.TransactionState, variable string) int {
	for _, text := range state.Variables().TX().Get(variable) {
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
	}
	return 0
}

const (
	// ruleTooManyArgs is our own rule, see Profile.directives.
	ruleTooManyArgs = 100_001
	// maxRules is how many rule ids an event holds; the first tell enough.
	maxRules = 10
	// The Core Rule Set's detection rules are between these; what is before
	// sets up, what is after adds up.
	firstDetection, lastDetection = 911_000, 948_999
	// The recommended configuration's checks on the body.
	firstBodyCheck, lastBodyCheck = 200_002, 200_005
)

// effective lists the rules that matched and count, without duplicates, at most
// most, and where they matched. The engine reports several times as many: those
// that set variables, or skip a paranoia level.
func (i *Inspector) effective(matched []types.MatchedRule, most int, counts func(types.MatchedRule) bool) (ids []int, matches []pipeline.Match) {
	for _, m := range matched {
		id := m.Rule().ID()
		if slices.Contains(ids, id) || !counts(m) {
			continue
		}
		ids = append(ids, id)
		matches = i.appendMatches(matches, m, maxPlaces*most)
		if len(ids) == most {
			break
		}
	}
	return ids, matches
}

// counts reports whether what matched in a request had an effect on the verdict or
// the score.
func (i *Inspector) counts(m types.MatchedRule) bool {
	id := m.Rule().ID()
	return detects(m) || i.patchRules[id].reports || id >= firstBodyCheck && id <= lastBodyCheck || id == ruleTooManyArgs
}

// detects reports whether what matched is a rule that looks for attacks.
func detects(m types.MatchedRule) bool {
	id := m.Rule().ID()
	return id >= firstDetection && id <= lastDetection && m.Message() != ""
}
