package search

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/services/problem"
)

// oracle answers with how often it was asked, after a while.
type oracle struct {
	mu    sync.Mutex
	asked int
	takes time.Duration
	fails error
}

func (o *oracle) ask(context.Context) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	time.Sleep(o.takes) // in a bubble
	o.asked++
	return o.asked, o.fails
}

func TestAnAnswerStandsWhileItIsFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, o := newCache[string, int](2*time.Second, time.Minute, 10, time.Now), &oracle{}
		for _, step := range []struct{ wait, want int }{{0, 1}, {1, 1}, {1, 2}, {1, 2}, {5, 3}} {
			time.Sleep(time.Duration(step.wait) * time.Second)
			if a, late, err := c.get(t.Context(), "a", o.ask); a.value != step.want || late || err != nil {
				t.Errorf("answer %d, late %t, error %v, want %d", a.value, late, err, step.want)
			}
		}
		if a, _, _ := c.get(t.Context(), "b", o.ask); a.value != 4 {
			t.Errorf("another question got answer %d", a.value)
		}
	})
}

func TestWhoAsksTheSameAtOnceSharesOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, o := newCache[string, int](time.Second, 0, 10, time.Now), &oracle{takes: 100 * time.Millisecond}
		gone, cancel := context.WithCancel(t.Context())
		go func() { _, _, _ = c.get(gone, "a", o.ask) }() // the first, who gives up
		synctest.Wait()
		cancel()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if a, _, err := c.get(t.Context(), "a", o.ask); a.value != 1 || err != nil {
					t.Errorf("answer %d, error %v", a.value, err)
				}
			})
		}
		all.Wait()
	})
}

func TestWhatIsNotKeptFreshIsAskedByEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, o := newCache[string, int](0, time.Minute, 10, time.Now), &oracle{}
		for want := 1; want <= 3; want++ {
			if a, late, err := c.get(t.Context(), "a", o.ask); a.value != want || late || err != nil {
				t.Errorf("answer %d, late %t, error %v, want %d", a.value, late, err, want)
			}
		}
	})
}

func TestAnOldAnswerIsGivenOnlyWhileNobodyCanBeAsked(t *testing.T) {
	away := problem.New(problem.Unavailable, "")
	for name, c := range map[string]struct {
		fails error
		takes time.Duration
		after time.Duration
		value int
		late  bool
	}{
		"they are away":                           {away, 0, 10 * time.Second, 1, true},
		"they take longer than a guest waits":     {nil, 2 * time.Second, 10 * time.Second, 1, true},
		"they take their time":                    {nil, patience / 2, 10 * time.Second, 2, false},
		"they are away and the answer is too old": {away, 0, time.Minute, 0, false},
		"they take long and it is too old":        {nil, 2 * time.Second, time.Minute, 2, false},
		"they do not let us in":                   {problem.New(problem.BadGateway, ""), 0, 10 * time.Second, 0, false},
		"something else is wrong":                 {errors.New("broken"), 0, 10 * time.Second, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cache, o := newCache[string, int](2*time.Second, time.Minute, 10, time.Now), &oracle{}
				begun := time.Now()
				_, _, _ = cache.get(t.Context(), "a", o.ask)
				time.Sleep(c.after)
				o.fails, o.takes = c.fails, c.takes
				a, late, err := cache.get(t.Context(), "a", o.ask)
				if late != c.late || (c.value == 0) != (err != nil) || err == nil && a.value != c.value {
					t.Errorf("answer %d, late %t, error %v, want %d and %t", a.value, late, err, c.value, c.late)
				}
				if late && !a.at.Equal(begun) {
					t.Errorf("it is said to be from %v, want %v", a.at, begun)
				}
				time.Sleep(5 * time.Second) // what still asks ends
			})
		})
	}
}

func TestAPanicOfAQuestionIsAnError(t *testing.T) {
	c := newCache[string, int](time.Second, 0, 10, time.Now)
	if _, _, err := c.get(t.Context(), "a", func(context.Context) (int, error) { panic("at the disco") }); err == nil {
		t.Error("there was none")
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	now := time.Now()
	c := newCache[int, int](time.Minute, 0, 64, func() time.Time { return now })
	for key := range 1000 {
		c.put(key, key)
		if len(c.kept) > 64 {
			t.Fatalf("%d are kept, want at most 64", len(c.kept))
		}
	}
	for key := 1000; len(c.kept) < 64; key++ {
		c.put(key, key)
	}
	now = now.Add(time.Hour)
	if c.put(-1, -1); len(c.kept) != 1 {
		t.Errorf("%d are kept though all but one are too old", len(c.kept))
	}
}
