package limit_test

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

func request(route *pipeline.Route, at time.Time) *pipeline.Transaction {
	return &pipeline.Transaction{
		Start: at, Route: route, Source: netip.MustParseAddr("192.0.2.1"),
		Principal: &token.Principal{Issuer: "hotel", Subject: "g-7", Client: "demo"},
	}
}

func TestTheStageTellsWhoIsDeniedWhenToComeBack(t *testing.T) {
	route := &pipeline.Route{Name: "list-hotels", Stages: []pipeline.Stage{
		limit.NewStage("source-limit", newEngine(t, 0), []limit.Limit{{Name: "per-source", Count: 6, Per: time.Minute, Burst: 2}}),
	}}
	now := time.Now()
	for range 2 {
		if d := pipeline.Decide(request(route, now)); d.Kind != pipeline.Allow {
			t.Fatalf("within the burst: %+v", d)
		}
	}
	now = now.Add(1500 * time.Millisecond)
	tx := request(route, now)
	d := pipeline.Decide(tx)
	if d.Kind != pipeline.Deny || d.Stage != "source-limit" || d.Rule != "per-source" || d.Problem.Code != problem.TooManyRequests {
		t.Fatalf("over the burst: %+v", d)
	}
	// Exactly 8.5 s are left.
	if got := d.Problem.Header.Get("Retry-After"); got != "9" {
		t.Errorf("Retry-After is %q, want 9", got)
	}
	if len(tx.Limits) != 1 || tx.Limits[0].RetryAfter != 8500*time.Millisecond {
		t.Errorf("the event would say %+v", tx.Limits)
	}
	if d := pipeline.Decide(request(route, now.Add(9*time.Second))); d.Kind != pipeline.Allow {
		t.Errorf("after Retry-After: %+v", d)
	}
}

func TestEveryAnswerShowsAllLimitsTheTightestFirst(t *testing.T) {
	e := newEngine(t, 0)
	route := &pipeline.Route{Name: "list-hotels", Stages: []pipeline.Stage{
		limit.NewStage("source-limit", e, []limit.Limit{{Name: "per-source", Count: 100, Per: time.Minute}}),
		limit.NewStage("principal-limit", e, []limit.Limit{
			{Name: "per-principal", By: limit.Principal, Count: 600, Per: time.Minute, Burst: 60},
			{Name: "demo", By: limit.Client, Count: 6, Per: time.Minute, Burst: 3, Clients: []string{"demo"}},
		}),
	}}
	tx := request(route, time.Now())
	if d := pipeline.Decide(tx); d.Kind != pipeline.Allow {
		t.Fatalf("%+v", d)
	}
	for name, want := range map[string]string{
		"RateLimit-Policy": `"demo";q=6;w=60, "per-principal";q=600;w=60, "per-source";q=100;w=60`,
		"RateLimit":        `"demo";r=2;t=10, "per-principal";r=59;t=1, "per-source";r=99;t=1`,
	} {
		if got := tx.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(tx.Limits) != 3 {
		t.Errorf("the event would show %d limits, want 3", len(tx.Limits))
	}
}

func TestARequestWithoutASourceFailsClosed(t *testing.T) {
	route := &pipeline.Route{Name: "r", Stages: []pipeline.Stage{
		limit.NewStage("source-limit", newEngine(t, 0), []limit.Limit{{Name: "l", Count: 1, Per: time.Second}}),
	}}
	tx := request(route, time.Now())
	tx.Source = netip.Addr{}
	if d := pipeline.Decide(tx); d.Kind != pipeline.Fault || d.Problem.Status() != http.StatusServiceUnavailable {
		t.Errorf("%+v, want a fault", d)
	}
}

func TestFields(t *testing.T) {
	tests := []struct {
		name          string
		state         pipeline.LimitState
		policy, limit string
	}{
		{"seconds are rounded up", pipeline.LimitState{Name: "l", Quota: 1, Window: 1500 * time.Millisecond, Reset: time.Nanosecond}, `"l";q=1;w=2`, `"l";r=0;t=1`},
		{"a full quota resets in no time", pipeline.LimitState{Name: "l", Quota: 3, Window: time.Second, Remaining: 3}, `"l";q=3;w=1`, `"l";r=3;t=0`},
		{"a name cannot break out of its string", pipeline.LimitState{Name: "a\"\\\r\né", Quota: 1, Window: time.Second}, `"a\"\\????";q=1;w=1`, `"a\"\\????";r=0;t=0`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			policy, limit := limit.Fields([]pipeline.LimitState{test.state})
			if policy != test.policy || limit != test.limit {
				t.Errorf("%s and %s, want %s and %s", policy, limit, test.policy, test.limit)
			}
		})
	}
}

func TestTheShownQuotaIsTheRateInWholeSeconds(t *testing.T) {
	for per, want := range map[time.Duration]string{
		100 * time.Millisecond:  `"l";q=200;w=1`,
		1500 * time.Millisecond: `"l";q=26;w=2`,
		time.Hour:               `"l";q=20;w=3600`,
	} {
		set := newEngine(t, 0).Bind([]limit.Limit{{Name: "l", Count: 20, Per: per}})
		states, _ := set.Decide(time.Now(), from("192.0.2.1"), nil)
		if policy, _ := limit.Fields(states); policy != want {
			t.Errorf("20 in %s reads %s, want %s", per, policy, want)
		}
	}
}
