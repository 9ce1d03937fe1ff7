package waf

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/corazawaf/coraza/v3"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf/proof"
)

const injection = "/v1/hotels?city=1%27%20OR%20%271%27=%271"

// Every test of this package that decides a request decides it without the proof
// too, hence by all rules: see sameInEveryMode.
func TestAnAttackIsAskedOnlyOfTheRulesThatMayMatch(t *testing.T) {
	sound := inspector(t)
	i := as(sound, ProofOn, sound.proving.prover)
	m, _ := watched(t, i)
	tx := request("GET", injection, "", "")
	if d := through(i, NewGate(0), tx); d.Kind != pipeline.Deny || !tx.WAF.Proof.Narrowed || tx.WAF.Score < 5 {
		t.Errorf("%v, %+v", d.Kind, tx.WAF)
	}
	if n := testutil.ToFloat64(m.narrowed.WithLabelValues(i.profile.Name)); n != 1 {
		t.Errorf("%v are counted", n)
	}
	for _, mode := range []Proof{ProofShadow, ProofOff} {
		tx := request("GET", injection, "", "")
		if through(as(sound, mode, sound.proving.prover), NewGate(0), tx); tx.WAF.Proof.Narrowed {
			t.Errorf("with the proof %s not all rules are asked", mode)
		}
	}
}

// forgetful says of everything that the engine need not be asked about a rule.
func forgetful(s *subject) proof.Verdict {
	s.spared = append(s.spared[:0], proof.Span{From: 942_100, To: 942_100})
	return proof.Verdict{Narrow: true, Rule: 1, Why: "a rule"}
}

func TestARuleThatIsLeftOutAndMatchesRaisesTheAlarm(t *testing.T) {
	i := as(inspector(t), ProofOn, lie(forgetful))
	i.proving.every = 1
	m, log := watched(t, i)
	gate := NewGate(0)
	through(i, gate, request("GET", "/v1/hotels", "", ""))
	idle(t, gate)
	if differences(m, i) != 0 || i.proving.off.Load() {
		t.Fatalf("a request on which the rule does not match differs: %s", log)
	}
	through(i, gate, request("GET", injection, "", ""))
	idle(t, gate)
	if differences(m, i) != 1 || !i.proving.off.Load() || !strings.Contains(log.String(), "another verdict") || strings.Contains(log.String(), "%27") {
		t.Errorf("%d differences, logged %s", differences(m, i), log)
	}
	tx := request("GET", injection, "", "")
	if d := through(i, gate, tx); d.Kind != pipeline.Deny || tx.WAF.Proof.Asked || !slices.Contains(tx.WAF.Rules, 942_100) {
		t.Errorf("after the alarm: %v, %+v", d.Kind, tx.WAF)
	}
}

func TestTheSelfTestRefusesAProofThatLeavesOutARuleThatMatches(t *testing.T) {
	i := as(inspector(t), ProofOn, lie(forgetful))
	if err := i.selfTest(1); err == nil || !strings.Contains(err.Error(), "asks some of its rules") || !i.proving.off.Load() {
		t.Errorf("error %v", err)
	}
}

// Who knows a request on which the engine is of two minds must not be able to
// switch the proof off by it.
func TestARequestOnWhichTheEngineIsOfTwoMindsIsNoDifference(t *testing.T) {
	i := as(inspector(t), ProofOn, lie(forgetful))
	engine, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectives("SecRuleEngine On\nSecRequestBodyAccess On\n" +
		`SecRule UNIQUE_ID "@rx [A-Z]$" "id:1,phase:1,deny,status:403"`))
	if err != nil {
		t.Fatal(err)
	}
	i.engine = engine
	s := i.subject(request("GET", "/", "", ""), nil, formatNone)
	s.narrow = true
	for range 20 {
		var was judgement
		was.found, was.err = i.inspect(t.Context(), s, maxRules)
		if difference, _ := i.missing(context.Background(), s, was, maxRules); difference != "" {
			t.Error(difference)
		}
	}
}

// A fault of the engine shows nothing about the proof.
func TestAFailureOfTheEngineIsNoMissingRule(t *testing.T) {
	i := as(inspector(t), ProofOn, lie(forgetful))
	i.engine = panicking{i.engine}
	s := i.subject(request("GET", "/", "", ""), nil, formatNone)
	if difference, _ := i.missing(t.Context(), s, judgement{}, maxRules); difference != "" {
		t.Error(difference)
	}
	if difference, _ := i.missing(t.Context(), s, judgement{err: fmt.Errorf("broken")}, maxRules); difference != "" {
		t.Error(difference)
	}
}
