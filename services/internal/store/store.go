// Package store opens the SQLite file of one service: owner-only permissions,
// write-ahead log, one writer, and a schema that migrations bring up to date.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

const (
	// busyTimeout bounds the wait for another process's lock on the file.
	busyTimeout = 5 * time.Second
	// readers is how many reads run at once. SQLite reads are short and the
	// machine has few cores; more would only hold memory.
	readers = 4
)

// Store is one open database. Reads go to a pool that cannot write; writes go
// one after another through a single connection, so that no two of them can
// act on the same reading.
type Store struct {
	read, write *sql.DB
}

// Open opens the database at path, making it (and its folder) when it is not
// there, and applies the migrations it has not seen. Migration i brings the
// schema from version i to i+1; one that has been released must never change.
// A file written by a newer program is an error, never guessed at.
func Open(ctx context.Context, path string, migrations []string) (*Store, error) {
	if err := prepare(path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s := &Store{}
	var err error
	if s.write, err = open(path, 1, "_txlock=immediate"); err == nil {
		s.read, err = open(path, readers, "_pragma=query_only(1)")
	}
	if err == nil {
		err = s.migrate(ctx, migrations)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database %q: %w", path, err), s.Close())
	}
	return s, nil
}

// prepare makes the folder and an empty file before SQLite would, because
// SQLite makes files that others may read; its -wal and -shm files take the
// permissions of the main one.
func prepare(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func open(path string, connections int, extra string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// synchronous FULL: an answer that was given survives a power cut.
	// secure_delete: what was deleted is overwritten and not only unlinked.
	dsn := fmt.Sprintf("file:%s?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=secure_delete(1)&%s",
		(&url.URL{Path: absolute}).EscapedPath(), busyTimeout.Milliseconds(), extra)
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Read gives the pool for queries. Writing through it fails.
func (s *Store) Read() *sql.DB { return s.read }

// Write runs do in the one write transaction that can exist at a time and
// commits when it returns nil. The lock is taken before do reads anything.
func (s *Store) Write(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a write: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // a no-op once committed
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit a write: %w", err)
	}
	return nil
}

// Scrub empties the write-ahead log, which holds what was deleted until it is
// written over: for the moment after somebody was to be forgotten. A reader that
// stays in the way is an error, since what was deleted is then still there.
func (s *Store) Scrub(ctx context.Context) error {
	var busy, frames, moved int
	err := s.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err == nil && busy != 0 {
		err = errors.New("somebody reads an older state of the database")
	}
	if err != nil {
		return fmt.Errorf("empty the write-ahead log: %w", err)
	}
	return nil
}

// Ready reports whether the database answers.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	return nil
}

// Close closes the database once running statements have ended.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
