package pipeline_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// stage is one that says what it is told to.
type stage struct {
	name   string
	decide func(tx *pipeline.Transaction) error
}

func (s stage) Name() string                          { return s.name }
func (s stage) Decide(tx *pipeline.Transaction) error { return s.decide(tx) }
func passes(*pipeline.Transaction) error              { return nil }
func refuses(err error) func(*pipeline.Transaction) error {
	return func(*pipeline.Transaction) error { return err }
}

func transaction(stages ...pipeline.Stage) *pipeline.Transaction {
	return &pipeline.Transaction{Start: time.Now(), Route: &pipeline.Route{Stages: stages}}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	forbidden := problem.New(problem.Forbidden, "")
	cases := map[string]struct {
		stages    []pipeline.Stage
		wantKind  pipeline.Kind
		wantStage string
		wantCode  problem.Code
	}{
		"what every stage lets pass is allowed": {
			[]pipeline.Stage{stage{"authenticate", passes}, stage{"authorize", passes}}, pipeline.Allow, "", "",
		},
		"a problem is a denial": {
			[]pipeline.Stage{stage{"authenticate", passes}, stage{"authorize", refuses(forbidden)}}, pipeline.Deny, "authorize", problem.Forbidden,
		},
		"the first refusal wins": {
			[]pipeline.Stage{stage{"authenticate", refuses(problem.New(problem.MissingToken, ""))}, stage{"authorize", refuses(forbidden)}}, pipeline.Deny, "authenticate", problem.MissingToken,
		},
		"a problem wrapped in words is a denial all the same": {
			[]pipeline.Stage{stage{"authorize", refuses(fmt.Errorf("rule 3: %w", forbidden))}}, pipeline.Deny, "authorize", problem.Forbidden,
		},
		"any other error is a fault and never allowed": {
			[]pipeline.Stage{stage{"inspect", refuses(errors.New("the engine broke"))}}, pipeline.Fault, "inspect", problem.Unavailable,
		},
		"a problem of ours is a fault": {
			[]pipeline.Stage{stage{"authenticate", refuses(problem.New(problem.IssuerUnavailable, ""))}}, pipeline.Fault, "authenticate", problem.IssuerUnavailable,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := pipeline.Decide(transaction(c.stages...))
			var code problem.Code
			if d.Problem != nil {
				code = d.Problem.Code
			}
			if d.Kind != c.wantKind || d.Stage != c.wantStage || code != c.wantCode {
				t.Errorf("decided %s by %q with %q; want %s by %q with %q", d.Kind, d.Stage, code, c.wantKind, c.wantStage, c.wantCode)
			}
		})
	}
}

func TestAFaultKeepsItsCauseAndTellsWhenToComeAgain(t *testing.T) {
	t.Parallel()
	broke := errors.New("the engine broke")
	d := pipeline.Decide(transaction(stage{"inspect", refuses(broke)}))
	if !errors.Is(d.Problem, broke) {
		t.Errorf("the cause is lost: %v", d.Problem)
	}
	if d.Problem.Status() != 503 || d.Problem.Header.Get("Retry-After") != "1" || strings.Contains(d.Problem.Detail, "engine") {
		t.Errorf("status %d, %v, detail %q", d.Problem.Status(), d.Problem.Header, d.Problem.Detail)
	}
}

func TestStagesRunInOrderUpToTheFirstRefusal(t *testing.T) {
	t.Parallel()
	var ran []string
	note := func(name string, err error) pipeline.Stage {
		return stage{name, func(tx *pipeline.Transaction) error {
			ran = append(ran, name)
			tx.Rule = "rule of " + name
			return err
		}}
	}
	d := pipeline.Decide(transaction(note("a", nil), note("b", nil), note("c", problem.New(problem.Forbidden, "")), note("d", nil)))
	if diff := cmp.Diff([]string{"a", "b", "c"}, ran); diff != "" {
		t.Error(diff)
	}
	if d.Rule != "rule of c" {
		t.Errorf("the rule is %q", d.Rule)
	}
}

func TestTheRuleThatAllowedIsNotTheOneThatRefused(t *testing.T) {
	t.Parallel()
	allows := stage{"authorize", func(tx *pipeline.Transaction) error { tx.Rule = "allow (routes.yaml:6)"; return nil }}
	if d := pipeline.Decide(transaction(allows, stage{"inspect", refuses(errors.New("the engine broke"))})); d.Rule != "" {
		t.Errorf("a fault is laid to %q", d.Rule)
	}
	if d := pipeline.Decide(transaction(allows, stage{"inspect", passes})); d.Rule != "allow (routes.yaml:6)" {
		t.Errorf("allowed by %q", d.Rule)
	}
}

func TestDecideAllocatesNothing(t *testing.T) {
	tx := transaction(stage{"authenticate", passes}, stage{"authorize", passes})
	if n := testing.AllocsPerRun(100, func() { pipeline.Decide(tx) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestStageEndsTellWhenEachStageEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		takes := func(d time.Duration, err error) pipeline.Stage {
			return stage{"takes " + d.String(), func(*pipeline.Transaction) error { time.Sleep(d); return err }}
		}
		tx := transaction(takes(time.Millisecond, nil), takes(2*time.Millisecond, problem.New(problem.Forbidden, "")), takes(time.Second, nil))
		pipeline.Decide(tx)
		for i, want := range []time.Duration{time.Millisecond, 3 * time.Millisecond, 0} {
			if got := tx.StageEnds(i); got != want {
				t.Errorf("stage %d ended after %v, want %v", i, got, want)
			}
		}
	})
}

func TestADecisionThatNobodyMadeDenies(t *testing.T) {
	t.Parallel()
	var d pipeline.Decision
	if d.Kind != pipeline.Deny || d.Kind.String() != "deny" {
		t.Errorf("the zero decision is %s", d.Kind)
	}
	for kind, want := range map[pipeline.Kind]string{pipeline.Allow: "allow", pipeline.Fault: "fault", 77: "deny"} {
		if got := kind.String(); got != want {
			t.Errorf("%d is %q, want %q", kind, got, want)
		}
	}
}
