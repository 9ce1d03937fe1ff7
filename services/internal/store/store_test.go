package store_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"portcullis/services/internal/store"
)

const counter = `CREATE TABLE counter (n INTEGER NOT NULL); INSERT INTO counter VALUES (0);`

func open(t *testing.T, path string, migrations ...string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path, migrations)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func count(t *testing.T, s *store.Store) (n int) {
	t.Helper()
	if err := s.Read().QueryRowContext(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWritesRunOneAfterAnother(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "a.db"), counter)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			err := s.Write(t.Context(), func(tx *sql.Tx) error {
				var n int // read, then write what was read: lost updates show
				if err := tx.QueryRowContext(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
					return err
				}
				_, err := tx.ExecContext(t.Context(), "UPDATE counter SET n = ?", n+1)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, s); n != 50 {
		t.Errorf("counted %d, want 50", n)
	}
}

func TestTwoOpenStoresOnOneFileLoseNoWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	stores := []*store.Store{open(t, path, counter), open(t, path, counter)}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := stores[i%2].Write(t.Context(), func(tx *sql.Tx) error {
				var n int
				if err := tx.QueryRowContext(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
					return err
				}
				_, err := tx.ExecContext(t.Context(), "UPDATE counter SET n = ?", n+1)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, stores[0]); n != 20 {
		t.Errorf("counted %d, want 20", n)
	}
}

func TestAFailedWriteLeavesNothing(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "a.db"), counter)
	broken := errors.New("broken")
	err := s.Write(t.Context(), func(tx *sql.Tx) error {
		_, _ = tx.ExecContext(t.Context(), "UPDATE counter SET n = 7")
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want the one returned", err)
	}
	if n := count(t, s); n != 0 {
		t.Errorf("the counter is %d, want 0", n)
	}
}

func TestTheReadPoolCannotWrite(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "a.db"), counter)
	if _, err := s.Read().ExecContext(t.Context(), "UPDATE counter SET n = 7"); err == nil {
		t.Error("a write through the read pool went through")
	}
}

func TestOnlyTheOwnerCanReadTheFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := open(t, filepath.Join(dir, "a.db"), counter)
	if err := s.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE counter SET n = 1")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", filepath.Base(path), info.Mode().Perm())
		}
		files++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 3 { // the folder, the database and its log
		t.Errorf("looked at %d files, want the database and its log too", files)
	}
}

func TestMigrationsRunOnceAndInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c%20.db") // a name that an URL would garble
	first := open(t, path, counter)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, path, counter, "UPDATE counter SET n = n + 1", "UPDATE counter SET n = n * 10")
	if n := count(t, second); n != 10 {
		t.Errorf("the counter is %d, want 10", n)
	}
	third := open(t, path, counter, "UPDATE counter SET n = n + 1", "UPDATE counter SET n = n * 10")
	if n := count(t, third); n != 10 {
		t.Errorf("the counter is %d after a second start, want 10", n)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestABrokenMigrationLeavesTheVersionBeforeIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	_, err := store.Open(t.Context(), path, []string{counter, "UPDATE counter SET n = 5; SELECT nonsense"})
	if err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Fatalf("error %v, want one that names version 2", err)
	}
	s := open(t, path, counter, "UPDATE counter SET n = n + 1")
	if n := count(t, s); n != 1 {
		t.Errorf("the counter is %d, want 1", n)
	}
}

func TestAFileFromANewerProgramIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	_ = open(t, path, counter, "SELECT 1").Close()
	if _, err := store.Open(t.Context(), path, []string{counter}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("error %v, want one that asks for a newer program", err)
	}
}

func TestAFileThatIsNoDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(context.Background(), path, []string{counter}); err == nil {
		t.Error("opened")
	}
}

func TestWhatWasDeletedIsInNoFileAnyMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s := open(t, path, "CREATE TABLE names (name TEXT)")
	for _, do := range []string{"INSERT INTO names VALUES ('ada lovelace')", "DELETE FROM names"} {
		if err := s.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.ExecContext(t.Context(), do); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if raw, err := os.ReadFile(f); err != nil || strings.Contains(string(raw), "lovelace") {
			t.Errorf("%s still has it (%v)", filepath.Base(f), err)
		}
	}
}

func TestAReaderInTheWayOfAScrubIsTold(t *testing.T) {
	t.Parallel() // it waits for as long as SQLite waits
	s := open(t, filepath.Join(t.TempDir(), "a.db"), counter)
	reader, err := s.Read().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Rollback() }()
	var n int
	if err := reader.QueryRowContext(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE counter SET n = 1")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Scrub(t.Context()); err == nil {
		t.Error("the log was said to be empty while a reader needs it")
	}
	if err := errors.Join(reader.Rollback(), s.Scrub(t.Context())); err != nil {
		t.Error(err)
	}
}
