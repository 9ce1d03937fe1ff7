// Package store is the token service's database: what may not be in git. It
// holds the signing keys, the digests of client secrets, which clients were
// disabled, the sign-ins that codes and refresh tokens belong to, and what was
// revoked, in one SQLite file that only its owner can read. Of a code, a
// refresh token or an assertion only a hash is kept, of an access token
// nothing. It decides nothing but what must be decided once.
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

	"modernc.org/sqlite"
)

// File is the name of the database in its folder.
const File = "authserver.db"

const (
	// busyTimeout bounds the wait for another process's lock: the service runs
	// while the command line stores a new secret.
	busyTimeout = 5 * time.Second
	// readers is how many reads run at once; each is a few microseconds.
	readers = 4
)

// Store is the open database. Reads go to a pool that cannot write; writes go
// one after another, many to a commit. It is safe for concurrent use, also by
// several processes.
type Store struct {
	path        string
	read, write *sql.DB
	writer      *writer
	watch       watch
	// What requests run often is compiled once.
	lookUp, addAssertion *sql.Stmt
}

// Open opens the database in the folder dir and makes both when they are not
// there. A file written by a newer program is an error, never guessed at.
func Open(ctx context.Context, dir string) (*Store, error) {
	path := filepath.Join(dir, File)
	if err := prepare(path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s := &Store{path: path}
	var err error
	if s.write, err = open(path, 1, "_txlock=immediate"); err == nil {
		s.read, err = open(path, readers, "_pragma=query_only(1)")
	}
	if err == nil {
		s.writer = startWriter(s.write)
		err = s.migrate(ctx)
	}
	if err == nil {
		s.watch.db, err = open(path, 1, "_pragma=query_only(1)")
	}
	if err == nil {
		s.lookUp, err = s.read.PrepareContext(ctx, lookUpSQL)
	}
	if err == nil {
		s.addAssertion, err = s.write.PrepareContext(ctx, addAssertionSQL)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database %q: %w", path, err), s.Close())
	}
	return s, nil
}

// prepare makes the folder and an empty file before SQLite would, because
// SQLite makes files that others may read. Its -wal and -shm files take the
// permissions of the main one.
func prepare(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	// Whoever reads the file can sign tokens as us: a restored backup with the
	// usual permissions must not go unnoticed.
	if others := info.Mode().Perm() & 0o077; others != 0 {
		return fmt.Errorf("%q holds the signing keys and others may open it (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	return nil
}

func open(path string, connections int, extra string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// synchronous FULL: a key that signed, or a secret that was shown, is still
	// there after a power cut.
	dsn := fmt.Sprintf("file:%s?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)&%s",
		(&url.URL{Path: absolute}).EscapedPath(), busyTimeout.Milliseconds(), extra)
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(steadyConnector{connector})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Ready reports whether the database answers.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	return nil
}

// Close runs the changes that wait and closes the database once running
// statements have ended. It may be repeated.
func (s *Store) Close() error {
	if s.writer != nil {
		s.writer.close()
	}
	errs := []error{s.watch.close()}
	for _, stmt := range []*sql.Stmt{s.lookUp, s.addAssertion} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
