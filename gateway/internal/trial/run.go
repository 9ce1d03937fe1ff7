package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// Result is what came of one test.
type Result struct {
	Test *policy.Test
	// Requests is how many were sent.
	Requests int
	// Misses are the expectations that were not met; Err is why the test could
	// not be run at all. Both are empty for a test that passed.
	Misses []Miss
	Err    error
	// Explained tells of the request that failed the test.
	Explained *pipeline.Explained
	Took      time.Duration
}

// Failed reports whether the test did not pass.
func (r Result) Failed() bool { return r.Err != nil || len(r.Misses) > 0 }

// Report is what came of a run.
type Report struct {
	Results  []Result
	Coverage Coverage
	Took     time.Duration
}

// Failed counts the tests that did not pass.
func (r Report) Failed() int {
	n := 0
	for _, result := range r.Results {
		if result.Failed() {
			n++
		}
	}
	return n
}

// timesMost bounds the requests of one test.
const timesMost = 100_000

var errLate = errors.New("the tests before it took all the time there is")

// Run runs tests one after the other, each as if nobody had asked before. When
// ctx ends, those that are left fail. ended, if not nil, is told after each.
func (t *Trial) Run(ctx context.Context, tests []*policy.Test, ended func(Result)) Report {
	began := time.Now()
	report := Report{Results: make([]Result, 0, len(tests))}
	for _, test := range tests {
		start := time.Now()
		result := t.run(ctx, test)
		result.Took = time.Since(start)
		report.Results = append(report.Results, result)
		if ended != nil {
			ended(result)
		}
	}
	report.Coverage, report.Took = t.coverage.sum(), time.Since(began)
	return report
}

func (t *Trial) run(ctx context.Context, test *policy.Test) (result Result) {
	result = Result{Test: test}
	times := test.Times.Or(1)
	if times < 1 || times > timesMost {
		result.Err = fmt.Errorf("times: %d is not between 1 and %d", times, timesMost)
		return result
	}
	t.begin(test)
	defer func() {
		if result.Err == nil && t.backend.broken() {
			// What the upstream did here must open no breaker for the next test.
			result.Err = t.compile(t.Snapshot())
		}
	}()
	at, bearer, signed := t.clock.now(), "", time.Time{}
	changing := changes(test.As)
	for i := range times {
		if ctx.Err() != nil {
			result.Err = errLate
			return result
		}
		t.clock.set(at.Add(time.Duration(i) * test.Every.V))
		if now := t.clock.now(); i == 0 || changing || now.Sub(signed) > tokenFresh && !ages(test.As) {
			signed = now
			if bearer, result.Err = t.bearer(test, i+1); result.Err != nil {
				return result
			}
		}
		last := i == times-1
		// All that are sent before the last are alike: one of them is explained.
		var got Outcome
		if got, result.Err = t.send(ctx, test, bearer, last || i == 0); result.Err != nil {
			return result
		}
		result.Requests++
		if last {
			result.Misses = misses(&test.Expect, got)
		} else if miss := early(test, i, got); miss != nil {
			result.Misses = []Miss{*miss}
		}
		if len(result.Misses) > 0 {
			result.Explained = got.Explained
			return result
		}
	}
	return result
}

// early tells what is wrong with a request that is not the test's last: it must
// be allowed. A test that expects the source limit to refuse counts requests
// whatever became of them afterwards, as that limit does.
func early(test *policy.Test, i int, got Outcome) *Miss {
	if got.Decision.Kind == pipeline.Allow {
		return nil
	}
	if test.Expect.Stage.V == "source-limit" && got.limit() == "" && got.Decision.Kind == pipeline.Deny {
		return nil
	}
	is := fmt.Sprintf("%d %s", got.Status, got.Decision.Kind)
	if got.Decision.Stage != "" {
		is += " at " + got.Decision.Stage
	}
	if got.Decision.Rule != "" {
		is += " by " + got.Decision.Rule
	}
	return &Miss{test.Times.Pos, fmt.Sprintf("request %d of %d", i+1, test.Times.V), "allow", is}
}
