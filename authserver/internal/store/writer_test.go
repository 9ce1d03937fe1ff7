package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/internal/store"
)

// note writes a row that noted finds.
func note(ctx context.Context, tx *sql.Tx, name string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO disabled_clients (client, disabled) VALUES (?, 0)", name)
	return err
}

func noted(t *testing.T, s *store.Store, name string) bool { return credentials(t, s, name).Disabled }

// together runs the changes in one commit, in order, and returns their errors:
// a first change holds the writer until all wait.
func together(t *testing.T, s *store.Store, changes ...func(*sql.Tx) error) []error {
	t.Helper()
	errs := make([]error, len(changes))
	holding, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.Change(context.Background(), func(*sql.Tx) error { close(holding); <-release; return nil })
	})
	<-holding
	for i, change := range changes {
		wg.Go(func() { errs[i] = s.Change(context.Background(), change) })
		s.AwaitQueue(t, i+1)
	}
	close(release)
	wg.Wait()
	return errs
}

func TestAChangeThatFailsUndoesOnlyItself(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	broken := errors.New("broken")
	var shared [3]*sql.Tx
	errs := together(t, s,
		func(tx *sql.Tx) error { shared[0] = tx; return note(t.Context(), tx, "before") },
		func(tx *sql.Tx) error { shared[1] = tx; return errors.Join(note(t.Context(), tx, "broken"), broken) },
		func(tx *sql.Tx) error { shared[2] = tx; return note(t.Context(), tx, "after") })
	if errs[0] != nil || !errors.Is(errs[1], broken) || errs[2] != nil {
		t.Errorf("errors %v, want only the second's own", errs)
	}
	if !noted(t, s, "before") || noted(t, s, "broken") || !noted(t, s, "after") {
		t.Error("what the failing change wrote is there, or what the others wrote is not")
	}
	if shared[0] != shared[1] || shared[1] != shared[2] {
		t.Error("the changes that waited together did not share a commit")
	}
}

func TestAPanicInAChangeIsItsCallersOnly(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var caught any
	errs := together(t, s,
		func(tx *sql.Tx) error { return note(t.Context(), tx, "before") },
		func(tx *sql.Tx) error { return note(t.Context(), tx, "after") })
	func() {
		defer func() { caught = recover() }()
		_ = s.Change(t.Context(), func(tx *sql.Tx) error { _ = note(t.Context(), tx, "panic"); panic("ouch") })
	}()
	if text, ok := caught.(string); !ok || !strings.Contains(text, "ouch") || !strings.Contains(text, "writer_test.go") {
		t.Errorf("the caller caught %v, want the panic and where it was", caught)
	}
	if errs[0] != nil || errs[1] != nil || !noted(t, s, "before") || !noted(t, s, "after") || noted(t, s, "panic") {
		t.Errorf("errors %v, or not what was written", errs)
	}
	if err := s.Disable(t.Context(), "later", time.Now()); err != nil {
		t.Errorf("after the panic: %v", err)
	}
}

func TestAPanicLeavesTheRestOfItsCommit(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	panics := func(tx *sql.Tx) error { panic("ouch") }
	done := make(chan any, 1)
	holding, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.Change(context.Background(), func(*sql.Tx) error { close(holding); <-release; return nil })
	})
	<-holding
	wg.Go(func() {
		defer func() { done <- recover() }()
		_ = s.Change(context.Background(), panics)
	})
	s.AwaitQueue(t, 1)
	var err error
	wg.Go(func() {
		err = s.Change(context.Background(), func(tx *sql.Tx) error { return note(t.Context(), tx, "beside") })
	})
	s.AwaitQueue(t, 2)
	close(release)
	wg.Wait()
	if <-done == nil || err != nil || !noted(t, s, "beside") {
		t.Errorf("the change beside the one that panicked: %v", err)
	}
}

// An attacker who hangs up in the middle of their request must not undo what
// others do at the same time: SQLite would roll back all of them.
func TestACallerWhoHangsUpUndoesNobodysChange(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	ctx, hangUp := context.WithCancel(t.Context())
	errs := together(t, s,
		func(tx *sql.Tx) error { return note(t.Context(), tx, "before") },
		func(tx *sql.Tx) error {
			time.AfterFunc(time.Millisecond, hangUp)
			_, err := tx.ExecContext(ctx, `INSERT INTO disabled_clients (client, disabled)
				WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT 'slow' || i, 0 FROM n`)
			return err
		},
		func(tx *sql.Tx) error { return note(t.Context(), tx, "after") })
	if errs[0] != nil || errs[2] != nil || !noted(t, s, "before") || !noted(t, s, "after") {
		t.Errorf("errors %v, want none for those who stayed", errs)
	}
	if ctx.Err() == nil {
		t.Fatal("the statement ended before its caller hung up: this test tests nothing")
	}
}

func TestAChangeWhoseCallerLeftIsNotRun(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	holding, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.Change(context.Background(), func(*sql.Tx) error { close(holding); <-release; return nil })
	})
	<-holding
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	ran := false
	wg.Go(func() {
		left <- s.Change(ctx, func(*sql.Tx) error { ran = true; return nil })
	})
	s.AwaitQueue(t, 1)
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) { // while the writer is held
		t.Errorf("error %v, want that the context ended", err)
	}
	close(release)
	wg.Wait()
	if err := s.Change(t.Context(), func(*sql.Tx) error { return nil }); err != nil || ran {
		t.Errorf("the change of one who left was run: %t, %v", ran, err)
	}
}

func TestATransactionThatIsLostFailsEverybodyInIt(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	errs := together(t, s,
		func(tx *sql.Tx) error { return note(t.Context(), tx, "before") },
		// What SQLite does by itself when the disk is full.
		func(tx *sql.Tx) error { _, err := tx.ExecContext(t.Context(), "ROLLBACK"); return err },
		func(tx *sql.Tx) error { return note(t.Context(), tx, "after") })
	for i, err := range errs {
		if err == nil {
			t.Errorf("change %d was told that it is on the disk", i)
		}
	}
	if noted(t, s, "before") || noted(t, s, "after") {
		t.Error("something of a lost transaction is there")
	}
	if err := s.Disable(t.Context(), "later", time.Now()); err != nil || !noted(t, s, "later") {
		t.Errorf("after the loss: %v", err)
	}
}

func TestManyMoreChangesThanWaitAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 3 * store.MaxBatch {
		wg.Go(func() {
			name := fmt.Sprintf("c-%d", i)
			if err := s.Disable(context.Background(), name, time.Now()); err != nil || !noted(t, s, name) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	wg.Wait()
}

func TestClosingEndsNoChangeHalfway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	var wg sync.WaitGroup
	var mu sync.Mutex
	kept := map[string]bool{}
	started := make(chan struct{}, 50)
	for i := range 50 {
		wg.Go(func() {
			name := fmt.Sprintf("c-%d", i)
			started <- struct{}{}
			err := s.Disable(context.Background(), name, time.Now())
			mu.Lock()
			defer mu.Unlock()
			kept[name] = err == nil
		})
	}
	for range cap(started) {
		<-started
	}
	s.Close()
	wg.Wait()
	again := open(t, dir)
	for name, want := range kept {
		if noted(t, again, name) != want {
			t.Errorf("%s: it was told %t and that is not so", name, want)
		}
	}
	if err := s.Disable(t.Context(), "late", time.Now()); err == nil {
		t.Error("a closed database took a change")
	}
}

func TestADatabaseOfTheFirstReleaseIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, store.File)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		store.FirstSchema, "PRAGMA user_version = 1", "INSERT INTO client_secrets (client, digest, created) VALUES ('demo', 'd1', 0)",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	s := open(t, dir)
	if got := credentials(t, s, "demo").Digests[0]; got != "d1" {
		t.Errorf("demo has the digest %q, want the one from before", got)
	}
	if first, err := s.UseAssertion(t.Context(), "demo", "1", time.Now()); err != nil || !first {
		t.Errorf("a new table does not work: %t, %v", first, err)
	}
}
