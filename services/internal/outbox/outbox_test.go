package outbox

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portcullis/services/internal/store"
)

// fixture is an outbox on a database of its own, with a clock that stands.
type fixture struct {
	*Outbox
	t     *testing.T
	store *store.Store
	now   time.Time
	told  []string
	fails error
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, now: time.Date(2027, 1, 10, 12, 0, 0, 0, time.UTC)}
	var err error
	if f.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), []string{Schema}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.store.Close() })
	f.open()
	return f
}

// open is what a process does that starts on the database.
func (f *fixture) open() {
	f.t.Helper()
	tell := func(_ context.Context, m Message) error {
		var text string
		if err := m.Decode(&text); err != nil {
			return err
		}
		if f.fails != nil {
			return f.fails
		}
		f.told = append(f.told, m.Key+"="+text)
		return nil
	}
	var err error
	f.Outbox, err = New(Config{Store: f.store, Handlers: map[string]Handler{"tell": tell}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return f.now }})
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) add(key, text string, then error) {
	f.t.Helper()
	err := f.store.Write(f.t.Context(), func(tx *sql.Tx) error {
		if err := f.Add(f.t.Context(), tx, "tell", key, text); err != nil {
			return err
		}
		return then
	})
	if !errors.Is(err, then) {
		f.t.Fatal(err)
	}
}

func (f *fixture) deliver(want ...string) {
	f.t.Helper()
	f.told = nil
	if _, err := f.Deliver(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	if got := strings.Join(f.told, " "); got != strings.Join(want, " ") {
		f.t.Errorf("told %q, want %q", got, want)
	}
}

func TestWhatWasCommittedIsDeliveredOnce(t *testing.T) {
	f := newFixture(t)
	f.add("a", "first", nil)
	f.add("b", "second", nil)
	f.add("a", "again", nil)
	f.deliver("a=first", "b=second")
	f.deliver()
}

func TestWhatWasRolledBackIsNotTold(t *testing.T) {
	f := newFixture(t)
	f.add("a", "first", errors.New("rolled back"))
	f.deliver()
}

func TestWhatFailsIsTriedAgainLaterByWhoeverRunsThen(t *testing.T) {
	f := newFixture(t)
	f.add("a", "first", nil)
	f.fails = errors.New("nobody is there")
	f.deliver()
	f.fails = nil
	f.deliver() // not yet
	f.open()
	f.now = f.now.Add(lastRetry)
	f.deliver("a=first")
}

func TestThePauseGrowsUpToItsBound(t *testing.T) {
	for before, most := range map[int]time.Duration{0: firstRetry, 1: 2 * firstRetry, 3: 8 * firstRetry, 50: lastRetry} {
		for range 100 {
			if got := pause(before); got > most || got < most*4/5 {
				t.Fatalf("after %d failures the pause is %s, want %s to %s", before, got, most*4/5, most)
			}
		}
	}
}

func TestWhatNobodyCanMendIsGivenUpAndStays(t *testing.T) {
	f := newFixture(t)
	f.add("a", "first", nil)
	f.fails = Dead(errors.New("there is no such guest"))
	f.deliver()
	f.fails, f.now = nil, f.now.Add(time.Hour)
	f.deliver()
	if waiting, dead, err := f.Counts(t.Context()); waiting != 0 || dead != 1 || err != nil {
		t.Errorf("%d wait, %d were given up, error %v", waiting, dead, err)
	}
}

func TestAPanicIsAFailureAndStopsNoOther(t *testing.T) {
	f := newFixture(t)
	f.config.Handlers["tell"] = func(_ context.Context, m Message) error {
		if m.Key == "a" {
			panic("at the first")
		}
		f.told = append(f.told, m.Key)
		return nil
	}
	f.add("a", "first", nil)
	f.add("b", "second", nil)
	f.deliver("b")
	if waiting, _, err := f.Counts(t.Context()); waiting != 1 || err != nil {
		t.Errorf("%d wait, error %v", waiting, err)
	}
}

func TestAddRefusesWhatNobodyDelivers(t *testing.T) {
	f := newFixture(t)
	err := f.store.Write(t.Context(), func(tx *sql.Tx) error { return f.Add(t.Context(), tx, "shout", "a", "b") })
	if err == nil || !strings.Contains(err.Error(), `"shout"`) {
		t.Errorf("error %v", err)
	}
}

func TestRunDeliversWhatItIsWokenFor(t *testing.T) {
	f := newFixture(t)
	done := make(chan string, 1)
	f.config.Handlers["tell"] = func(_ context.Context, m Message) error { done <- m.Key; return nil }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.Run(ctx) }()
	f.add("a", "first", nil)
	f.Wake()
	if got := <-done; got != "a" {
		t.Errorf("told %q", got)
	}
	cancel()
	<-ended
}

func TestWhatWasDeliveredWhileTheProcessEndsIsNotDeliveredAgain(t *testing.T) {
	f := newFixture(t)
	ctx, end := context.WithCancel(t.Context())
	f.config.Handlers["tell"] = func(context.Context, Message) error { end(); return nil }
	f.add("a", "first", nil)
	if _, err := f.Deliver(ctx); err != nil {
		t.Fatal(err)
	}
	f.open()
	f.deliver()
}
