package limit_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
)

// tally is a counter of a test.
type tally int

func (c *tally) Inc() { *c++ }

func TestALimitInShadowDeniesNobodyAndTellsWhomItWouldHave(t *testing.T) {
	var count tally
	route := &pipeline.Route{Name: "list-hotels", Stages: []pipeline.Stage{
		limit.NewStage("source-limit", newEngine(t, 0), []limit.Limit{
			{Name: "per-source", Count: 100, Per: time.Minute},
			{Name: "tighter", Count: 6, Per: time.Minute, Burst: 2, Place: "limits.yaml:4", Shadow: true, Denials: &count},
			{Name: "tightest", Count: 1, Per: time.Hour, Place: "limits.yaml:5", Shadow: true},
		}),
	}}
	now := time.Now()
	var tx *pipeline.Transaction
	for n := range 3 {
		tx = request(route, now)
		if d := pipeline.Decide(tx); d.Kind != pipeline.Allow || d.Rule != "" {
			t.Fatalf("request %d: %+v", n, d)
		}
	}
	if got := tx.Header.Get("RateLimit"); got != `"per-source";r=97;t=2` {
		t.Errorf("the answer tells of %s", got)
	}
	// The second and third are refused by tightest and thus charged to neither.
	want := []pipeline.Shadow{{Stage: "source-limit", Rule: "tightest", Place: "limits.yaml:5", Would: pipeline.Deny}}
	if diff := cmp.Diff(want, tx.Shadows); diff != "" || count != 0 {
		t.Errorf("recorded, %d counted: %s", count, diff)
	}
	tx = request(route, now.Add(2*time.Hour))
	pipeline.Decide(tx)
	if len(tx.Shadows) != 0 {
		t.Errorf("after a rest it still records %+v", tx.Shadows)
	}
}

func TestEachLimitInShadowThatHasNoRoomIsCounted(t *testing.T) {
	var a, b tally
	stage := limit.NewStage("source-limit", newEngine(t, 0), []limit.Limit{
		{Name: "a", Count: 1, Per: time.Hour, Shadow: true, Denials: &a},
		{Name: "b", Count: 1, Per: time.Hour, Shadow: true, Denials: &b},
	})
	for range 4 {
		if d := pipeline.Decide(request(&pipeline.Route{Name: "r", Stages: []pipeline.Stage{stage}}, time.Now())); d.Kind != pipeline.Allow {
			t.Fatal(d)
		}
	}
	if a != 3 || b != 3 {
		t.Errorf("counted %d and %d, want 3 each", a, b)
	}
}

func TestWhatALimitInForceRefusesIsNotChargedToThoseInShadow(t *testing.T) {
	e := newEngine(t, 0)
	shadow := limit.Limit{Name: "shadow", Count: 3, Per: time.Hour, Shadow: true}
	route := &pipeline.Route{Name: "r", Stages: []pipeline.Stage{
		limit.NewStage("source-limit", e, []limit.Limit{{Name: "narrow", Count: 2, Per: time.Hour}, shadow}),
	}}
	now := time.Now()
	for range 10 {
		pipeline.Decide(request(route, now))
	}
	set := e.Bind([]limit.Limit{shadow})
	if got := admitted(set, now, limit.Caller{Source: request(route, now).Source, Route: "r"}, 5); got != 1 {
		t.Errorf("%d of 3 were left to the limit in shadow, want 1", got)
	}
}

func TestLimitsInShadowChangeNothingThatIsSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits, callers := anyLimits(t), someCallers()
		shadows := anyLimits(t)
		for i := range shadows {
			shadows[i].Name, shadows[i].Shadow = "shadow-"+shadows[i].Name, true
		}
		with := limit.NewStage("principal-limit", newEngine(t, 0), append(shadows, limits...))
		without := limit.NewStage("principal-limit", newEngine(t, 0), limits)
		now := time.Now()
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "gap")))
			c := rapid.SampledFrom(callers).Draw(t, "caller")
			var decisions [2]pipeline.Decision
			var fields [2]map[string][]string
			for i, stage := range []pipeline.Stage{with, without} {
				tx := &pipeline.Transaction{Start: now, Source: c.Source, Principal: c.Principal, Route: &pipeline.Route{Name: "list-hotels", Stages: []pipeline.Stage{stage}}}
				decisions[i], fields[i] = pipeline.Decide(tx), tx.Header
			}
			if diff := cmp.Diff(decisions[1], decisions[0]); diff != "" {
				t.Fatalf("decided otherwise: %s", diff)
			}
			if diff := cmp.Diff(fields[1], fields[0]); diff != "" {
				t.Fatalf("other fields: %s", diff)
			}
		}
	})
}

func TestForgottenCountsLeaveRoomAlsoWhenTheClockWentBack(t *testing.T) {
	e, now := newEngine(t, 0), time.Now()
	set := e.Bind([]limit.Limit{{Name: "l", Count: 2, Per: time.Hour}})
	earlier := now.AddDate(-3, 0, 0)
	if got := admitted(set, now, from("192.0.2.1"), 5); got != 2 {
		t.Fatalf("admitted %d", got)
	}
	e.Forget()
	if got := admitted(set, earlier, from("192.0.2.1"), 5); got != 2 {
		t.Errorf("admitted %d after all was forgotten, want 2", got)
	}
	if got := admitted(set, earlier.Add(30*time.Minute), from("192.0.2.1"), 5); got != 1 {
		t.Errorf("admitted %d half an hour later, want 1: time stands still", got)
	}
}

func TestAStageInShadowAllocatesNothingMore(t *testing.T) {
	e := newEngine(t, 0)
	stage := limit.NewStage("source-limit", e, []limit.Limit{{Name: "l", Count: 1, Per: time.Hour, Shadow: true}})
	route := &pipeline.Route{Name: "r", Stages: []pipeline.Stage{stage}}
	tx, source := &pipeline.Transaction{}, request(route, time.Now()).Source
	if n := testing.AllocsPerRun(100, func() {
		tx.Reset()
		tx.Start, tx.Route, tx.Source = time.Now(), route, source
		if err := stage.Decide(tx); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestExplainTellsHowEachLimitStands(t *testing.T) {
	stage := limit.NewStage("principal-limit", newEngine(t, 0), []limit.Limit{
		{Name: "per-principal", By: limit.Principal, Count: 6, Per: time.Minute, Burst: 2, Place: "limits.yaml:4"},
		{Name: "partners", By: limit.Client, Count: 1, Per: time.Hour, Clients: []string{"partner"}, Place: "limits.yaml:5"},
		{Name: "per-source", Count: 100, Per: 90 * time.Second, Place: "limits.yaml:6"},
		{Name: "next-year", Count: 1, Per: 12 * time.Hour, Place: "limits.yaml:7", Shadow: true},
	})
	route := &pipeline.Route{Name: "r", Stages: []pipeline.Stage{stage}}
	now := time.Now()
	explain := func() []pipeline.Reason {
		tx := request(route, now)
		d := pipeline.Decide(tx)
		return pipeline.Explain(tx, d)[0].Under
	}
	explain()
	want := []pipeline.Reason{
		{Text: "per-principal: 6 in 1m by principal, at most 2 at once", State: pipeline.Holds, Value: "0 left, the next in 10 s", Place: "limits.yaml:4"},
		{Text: "partners: 1 in 1h by client, for partner", Value: "does not count this caller", Place: "limits.yaml:5"},
		{Text: "per-source: 100 in 1m30s by source", State: pipeline.Holds, Value: "98 left", Place: "limits.yaml:6"},
		{Text: "next-year: 1 in 12h by source", State: pipeline.Fails, Value: "0 left, the next in 43200 s", Place: "limits.yaml:7", Shadow: true, Mend: "wait 43200 s"},
	}
	if diff := cmp.Diff(want, explain()); diff != "" {
		t.Errorf("let through: %s", diff)
	}
	want[0].State, want[0].Mend = pipeline.Fails, "wait 10 s"
	want[3] = pipeline.Reason{Text: want[3].Text, State: pipeline.Unasked, Place: want[3].Place, Shadow: true}
	if diff := cmp.Diff(want, explain()); diff != "" {
		t.Errorf("denied: %s", diff)
	}
}

func TestExplainTellsHowMuchFitsIntoARoute(t *testing.T) {
	c, err := limit.NewCapacity(1)
	if err != nil {
		t.Fatal(err)
	}
	route := &pipeline.Route{Name: "r", Stages: []pipeline.Stage{c}}
	for _, want := range []pipeline.Reason{
		{Text: "at most 1 at once", State: pipeline.Holds},
		{Text: "at most 1 at once", State: pipeline.Fails, Mend: "try again when others are done"},
	} {
		tx := request(route, time.Now())
		d := pipeline.Decide(tx)
		if diff := cmp.Diff([]pipeline.Reason{want}, pipeline.Explain(tx, d)[0].Under); diff != "" {
			t.Error(diff)
		}
	}
}
