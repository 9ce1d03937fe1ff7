package reload_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// failing are tests that fail.
func failing(doc *policy.Document, _ *pipeline.Snapshot) error {
	return policy.Join(policy.At(policy.Pos{File: "tests/search.yaml", Line: 3, Column: 5}, "T001", "guests may search: expected allow, got deny", ""))
}

func TestAPolicyWhoseTestsFailNeverComesIntoForce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, plain)
	f.write(good)
	if err := f.Load("start"); err != nil {
		t.Fatal(err)
	}
	kept := f.current.Load()
	var tried *pipeline.Snapshot
	f.try = func(doc *policy.Document, candidate *pipeline.Snapshot) error {
		if tried = candidate; f.current.Load() != kept {
			t.Error("it came into force before its tests ran")
		}
		return failing(doc, candidate)
	}
	f.write(better)
	err := f.Load("files changed")
	if mistakes, ok := errors.AsType[policy.Mistakes](err); !ok || len(mistakes) != 1 {
		t.Fatalf("the error is not the test that fails: %v", err)
	}
	if status := f.Status(); f.current.Load() != kept || status.Version != kept.Version || !strings.Contains(status.Error, "tests/search.yaml:3:5") {
		t.Errorf("status %+v", status)
	}
	if f.metric("portcullis_policy_reload_success", "") != 0 || f.metric("portcullis_policy_reloads_total", "failure") != 1 {
		t.Error("the metrics do not tell")
	}
	if lines := f.logged("policy refused; the one before it stays in force"); len(lines) != 1 || lines[0]["place"] != "tests/search.yaml:3:5" {
		t.Errorf("the log says %v", lines)
	}
	if last := f.retired[len(f.retired)-1]; tried == nil || last[0] != tried || last[1] != kept {
		t.Error("the connections of what was refused are not let go of")
	}
}

func TestAPolicyWhoseTestsFailStartsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, plain)
	f.try = failing
	f.write(good)
	if f.Load("start") == nil || f.current.Load() != nil {
		t.Error("something is in force")
	}
	if err := f.LoadUntested("start", "the upstream is down and the tests are wrong"); err != nil || f.current.Load() == nil {
		t.Errorf("nor in an emergency: %v", err)
	}
}

func TestSkippedTestsAreSeenUntilTheyHaveRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, plain)
	runs := 0
	f.try = func(*policy.Document, *pipeline.Snapshot) error { runs++; return nil }
	f.write(good)
	if err := f.LoadUntested("control", "night shift"); err != nil {
		t.Fatal(err)
	}
	if status := f.Status(); runs != 0 || status.Tests.Skipped != "night shift" || status.Why != "control" || f.metric("portcullis_policy_tests_skipped", "") != 1 {
		t.Errorf("after %d runs: %+v", runs, status)
	}
	if lines := f.logged("the policy's tests were skipped"); len(lines) != 1 || lines[0]["why"] != "night shift" || lines[0]["level"] != "WARN" {
		t.Errorf("the log says %v", lines)
	}
	// Again, and the policy has not changed: its tests have still to be run.
	if err := f.Load("signal"); err != nil {
		t.Fatal(err)
	}
	if status := f.Status(); runs != 1 || status.Tests.Skipped != "" || status.Why != "control" || f.metric("portcullis_policy_tests_skipped", "") != 0 {
		t.Errorf("after %d runs: %+v", runs, status)
	}
	// And once more: they have been.
	for _, load := range []func() error{
		func() error { return f.Load("signal") },
		func() error { return f.LoadUntested("control", "nobody needs this") },
	} {
		if err := load(); err != nil {
			t.Fatal(err)
		}
		if status := f.Status(); runs != 1 || status.Tests.Skipped != "" || f.metric("portcullis_policy_tests_skipped", "") != 0 {
			t.Errorf("after %d runs: %+v", runs, status)
		}
	}
	if f.LoadUntested("control", "") == nil {
		t.Error("tests are skipped without a reason")
	}
}

func TestAPanicOfATestKeepsThePolicyBefore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, plain)
	f.try = func(*policy.Document, *pipeline.Snapshot) error { panic("no such claim") }
	f.write(good)
	if err := f.Load("start"); err == nil || !strings.Contains(err.Error(), "no such claim") || f.current.Load() != nil {
		t.Errorf("got %v", err)
	}
}

// The page that tells how the gateway stands is read above all while something
// is going on.
func TestTheStatusDoesNotWaitForTheTests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, plain)
		f.write(good)
		if err := f.Load("start"); err != nil {
			t.Fatal(err)
		}
		release, before := make(chan struct{}), f.Status()
		f.try = func(*policy.Document, *pipeline.Snapshot) error { <-release; return nil }
		f.write(better)
		ended := make(chan error)
		go func() { ended <- f.Load("signal") }()
		synctest.Wait()
		if f.Status() != before {
			t.Error("it tells of what has not happened yet")
		}
		close(release)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if status := f.Status(); status.Version == before.Version {
			t.Errorf("status %+v", status)
		}
	})
}

func TestAnEditOfTheTestsAloneRunsThem(t *testing.T) {
	t.Parallel()
	f := newFixture(t, plain)
	f.write(good)
	runs := 0
	f.try = func(*policy.Document, *pipeline.Snapshot) error { runs++; return nil }
	load := func() error { return f.Load("files changed") }
	if err := errors.Join(load(), load()); err != nil || runs != 1 {
		t.Fatalf("they ran %d times, error %v", runs, err)
	}
	kept := f.current.Load()
	tests := "version: 1\ntests: [{name: nobody gets in, send: GET /, expect: {status: 404}}]\n"
	if err := os.WriteFile(filepath.Join(f.dir, "tests.yaml"), []byte(tests), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := load(); err != nil || runs != 2 || f.current.Load() != kept || f.Status().Tests.Run != 1 {
		t.Errorf("they ran %d times, error %v, status %+v", runs, err, f.Status())
	}
	f.try = failing
	if err := os.WriteFile(filepath.Join(f.dir, "tests.yaml"), []byte(tests+"# another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := load(); err == nil || f.current.Load() != kept || f.Status().Error == "" {
		t.Errorf("error %v, status %+v", err, f.Status())
	}
}
