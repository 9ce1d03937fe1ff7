package backoff_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/internal/backoff"
)

type key struct{ account, source string }

func table(t *testing.T, cfg backoff.Config) *backoff.Table[key] {
	t.Helper()
	b, err := backoff.New[key](cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheWaitDoublesAfterFiveFreeFailuresUpToAMinute(t *testing.T) {
	t.Parallel()
	b, now, k := table(t, backoff.Config{}), time.Unix(1_800_000_000, 0), key{"ada", "192.0.2.1"}
	var waits []int
	for range 13 {
		b.Failed(k, now)
		waits = append(waits, int(b.Wait(k, now).Seconds()))
		now = now.Add(b.Wait(k, now))
		if w := b.Wait(k, now); w != 0 {
			t.Fatalf("after the wait it still waits %v", w)
		}
	}
	if want := []int{0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60}; !slices.Equal(waits, want) {
		t.Errorf("it waits %v seconds, want %v", waits, want)
	}
}

func TestNobodyWaitsForWhatAnotherDid(t *testing.T) {
	t.Parallel()
	b, now := table(t, backoff.Config{}), time.Unix(1_800_000_000, 0)
	for range 50 {
		b.Failed(key{"ada", "attacker"}, now)
	}
	if b.Wait(key{"ada", "attacker"}, now) != time.Minute {
		t.Error("the attacker does not wait")
	}
	for _, other := range []key{{"ada", "home"}, {"bob", "attacker"}} {
		if w := b.Wait(other, now); w != 0 {
			t.Errorf("%v waits %v", other, w)
		}
	}
}

func TestASuccessOrAnHourEndsIt(t *testing.T) {
	t.Parallel()
	b, now, k := table(t, backoff.Config{}), time.Unix(1_800_000_000, 0), key{"ada", "home"}
	for range 8 {
		b.Failed(k, now)
	}
	b.Succeeded(k)
	if b.Wait(k, now) != 0 || b.Len() != 0 {
		t.Error("it waits after a success")
	}
	for range 8 {
		b.Failed(k, now)
	}
	now = now.Add(time.Hour)
	if b.Failed(k, now); b.Wait(k, now) != 0 {
		t.Error("failures of an hour ago still count")
	}
}

func TestTheTableIsBoundedAndForgetsTheOldestFirst(t *testing.T) {
	t.Parallel()
	b, now := table(t, backoff.Config{Keys: 10}), time.Unix(1_800_000_000, 0)
	for range 6 {
		b.Failed(key{"ada", "home"}, now)
	}
	for i := range 9 {
		b.Failed(key{"mallory", string(rune('a' + i))}, now)
	}
	if b.Len() != 10 || b.Wait(key{"ada", "home"}, now) == 0 {
		t.Fatalf("%d keys, want all ten", b.Len())
	}
	b.Failed(key{"mallory", "k"}, now)
	if b.Len() != 10 || b.Wait(key{"ada", "home"}, now) != 0 {
		t.Errorf("%d keys, want ten without the oldest", b.Len())
	}
}

func TestABackOffThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]backoff.Config{
		"a negative number":      {Free: -1},
		"a first above the most": {First: time.Minute, Most: time.Second},
		"forgotten while waited": {Most: 2 * time.Hour, Forget: time.Hour},
	} {
		if _, err := backoff.New[key](cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestManyFailAtOnce(t *testing.T) {
	t.Parallel()
	b, now, k := table(t, backoff.Config{Keys: 3}), time.Unix(1_800_000_000, 0), key{"ada", "home"}
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			b.Failed(k, now)
			b.Failed(key{"x", string(rune(i))}, now)
			b.Wait(k, now)
		})
	}
	all.Wait()
	if b.Len() != 3 {
		t.Errorf("%d keys, want 3", b.Len())
	}
}
