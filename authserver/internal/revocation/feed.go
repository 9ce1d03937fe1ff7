// Package revocation spreads what was revoked: from the database, where any
// process may have written it, to this process's own checks and to everybody who
// listens on the stream.
package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"portcullis/authserver/token"
)

// pollEvery is how often the database is asked whether another process wrote to
// it: the command line revokes too, and is to be heard within a second.
const pollEvery = 100 * time.Millisecond

// Store keeps what was revoked.
type Store interface {
	// Revoke records an entry and gives it its number.
	Revoke(ctx context.Context, e token.Revocation) (token.Revocation, error)
	// Revocations returns the live entries after a number, the epoch of the
	// database and the highest number.
	Revocations(ctx context.Context, after int64) (epoch string, head int64, entries []token.Revocation, err error)
	// Changed reports whether anybody wrote since the last call.
	Changed(ctx context.Context) (bool, error)
}

// Config is what a feed is made of.
type Config struct {
	Store Store
	// Local are the revocations that this process itself checks by.
	Local *token.Revocations
	Log   *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Feed holds the live entries in memory. It is safe for concurrent use.
type Feed struct {
	cfg Config

	syncing sync.Mutex // one reading of the database at a time

	mu      sync.Mutex
	epoch   string
	head    int64
	entries []token.Revocation // by number
	changed chan struct{}      // closed at the next change
}

// New reads what is revoked, so that nothing is served before it is known.
func New(ctx context.Context, cfg Config) (*Feed, error) {
	if cfg.Store == nil || cfg.Local == nil {
		return nil, errors.New("a revocation feed needs a store and the local revocations")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	f := &Feed{cfg: cfg, changed: make(chan struct{})}
	return f, f.Sync(ctx)
}

// Revoke records an entry; when it returns nil, the entry is durable and in force
// in this process, and on its way to the others.
func (f *Feed) Revoke(ctx context.Context, e token.Revocation) error {
	if _, err := f.cfg.Store.Revoke(ctx, e); err != nil {
		return err
	}
	return f.Sync(ctx)
}

// Sync takes over what the database has and we have not.
func (f *Feed) Sync(ctx context.Context) error {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	f.mu.Lock()
	after := f.head
	f.mu.Unlock()
	epoch, head, entries, err := f.cfg.Store.Revocations(ctx, after)
	if err != nil {
		return fmt.Errorf("read the revocations: %w", err)
	}
	if len(entries) > 0 {
		f.cfg.Local.Add(entries...)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch = epoch
	if head == f.head && len(entries) == 0 {
		return nil
	}
	f.head = head
	now := f.cfg.Now().Unix()
	// A new slice: readers hold parts of the old one.
	f.entries = slices.DeleteFunc(slices.Concat(f.entries, entries), func(e token.Revocation) bool { return e.Until <= now })
	close(f.changed)
	f.changed = make(chan struct{})
	return nil
}

// Run follows the database until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := f.cfg.Store.Changed(ctx)
		if err == nil && (changed || failing) {
			err = f.Sync(ctx)
		}
		if err != nil && !failing && ctx.Err() == nil {
			f.cfg.Log.Error("revocations by other processes are not seen", "error", err)
		}
		failing = err != nil
	}
}

// State is where the feed stands.
type State struct {
	Epoch string `json:"epoch"`
	Seq   int64  `json:"seq"`
}

// Since returns where the feed stands, the live entries after a number, and a
// channel that is closed when there is more.
func (f *Feed) Since(after int64) (State, []token.Revocation, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first, _ := slices.BinarySearchFunc(f.entries, after+1, func(e token.Revocation, seq int64) int { return int(e.Seq - seq) })
	return State{f.epoch, f.head}, f.entries[first:len(f.entries):len(f.entries)], f.changed
}
