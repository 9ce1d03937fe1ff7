package store

import (
	"context"
	"database/sql"
	"runtime"
	"testing"
)

// Change lets tests write what no method writes.
func (s *Store) Change(ctx context.Context, do func(*sql.Tx) error) error { return s.change(ctx, do) }

// What tests must go beyond.
const (
	MaxBatch     = maxBatch
	PurgeBatch   = purgeBatch
	MaxPending   = maxPending
	MaxGrants    = maxGrants
	LongestToken = longestToken
)

// FirstSchema is that of the first release.
const FirstSchema = clientsSchema

// AwaitQueue polls until n changes wait.
func (s *Store) AwaitQueue(t *testing.T, n int) {
	t.Helper()
	for len(s.writer.queue) < n {
		if t.Context().Err() != nil {
			t.Fatalf("%d changes wait, want %d", len(s.writer.queue), n)
		}
		runtime.Gosched()
	}
}
