package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// watch notices writes. SQLite counts, for one connection, the commits of all
// others: this connection never writes, so that it sees those of our own too.
type watch struct {
	db *sql.DB // for the one connection

	mu   sync.Mutex
	conn *sql.Conn
	stmt *sql.Stmt
	last int64
}

// Changed reports whether anybody, this process or another, has written to the
// database since the last call; the first call says yes. A write that it
// reported is seen by every read after it. It takes microseconds: ask often.
// With several callers each change is told to one of them.
func (s *Store) Changed(ctx context.Context) (bool, error) {
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	version, err := w.version(ctx)
	if err != nil {
		w.giveUp()
		return true, fmt.Errorf("ask whether the database changed: %w", err)
	}
	changed := version != w.last
	w.last = version
	return changed, nil
}

// version is the connection's count, never 0.
func (w *watch) version(ctx context.Context) (version int64, err error) {
	if w.stmt == nil {
		conn, err := w.db.Conn(ctx)
		if err != nil {
			return 0, err
		}
		if w.stmt, err = conn.PrepareContext(ctx, "PRAGMA data_version"); err != nil {
			return 0, errors.Join(err, conn.Close())
		}
		w.conn = conn
	}
	err = w.stmt.QueryRowContext(ctx).Scan(&version)
	return version, err
}

// giveUp closes the connection: the count of another one begins anew.
func (w *watch) giveUp() {
	w.last = 0
	if w.conn != nil {
		_ = w.conn.Close() // it never wrote
		w.conn, w.stmt = nil, nil
	}
}

func (w *watch) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.giveUp()
	if w.db == nil {
		return nil
	}
	return w.db.Close()
}
