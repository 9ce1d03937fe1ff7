// Package audit is the token service's memory: one line for every token issued,
// refused or revoked and for every change of keys and clients.
//
// The threat is somebody who can write to our disk afterwards, to hide what they
// did. Every line carries the hash of the line before it, so that to change one
// they must change all that follow, and the last of them is the head, which is
// signed and shown to others. The log does not stop them from writing; it stops
// them from going unnoticed. Against someone who holds the running service, only
// the heads from before help.
//
// A line is on the disk before anybody is answered. Files are numbered segments
// of one folder; the chain goes on from each to the next, and older ones may be
// moved away. Several processes may write: each takes a lock for a batch.
package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	// segmentSize is what a segment has at most: small enough to look at.
	segmentSize = 64 << 20
	// maxBatch bounds the records of one write, and those that wait beside it;
	// maxBatchBytes how much is written before the disk is waited for.
	maxBatch      = 512
	maxBatchBytes = 1 << 20
)

var errClosed = errors.New("the audit log is closed")

// Config is where the log is.
type Config struct {
	Dir string // made when it is not there
	// SegmentSize in bytes is when a new segment begins; 0 is 64 MiB.
	SegmentSize int64
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Log is an open log. It is safe for concurrent use, also by several processes.
type Log struct {
	cfg         Config
	dir         *os.File // for the lock, and to make the names of segments durable
	queue       chan *entry
	stop, ended chan struct{}
	stopping    sync.Once

	mu   sync.Mutex
	head Head

	end end // the writer's alone
}

// entry is a record that waits to be written.
type entry struct {
	ctx   context.Context
	facts []byte
	done  chan error // takes one answer without waiting
	left  error      // why it was not written, when its caller had left before
}

// Open opens the log in a folder and makes both when they are not there. A rest
// of a line that a crash left, which nobody was answered for, is cut off, and a
// record of action "audit" and outcome "recovered" says so. When the last lines
// are not what we would have written, it fails: what follows would cover up
// what was done to them.
func Open(cfg Config) (*Log, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.SegmentSize == 0 {
		cfg.SegmentSize = segmentSize
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	dir, err := os.Open(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	l := &Log{
		cfg: cfg, dir: dir,
		queue: make(chan *entry, maxBatch), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := l.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the audit log in %q: %w", cfg.Dir, err), l.end.close(), dir.Close())
	}
	go l.run()
	return l, nil
}

// Append writes a record; when it returns nil the line is on the disk. After an
// error of the disk the log is as it was before and the next Append tries anew.
// When ctx ends Append returns its error, and the record may still be written.
func (l *Log) Append(ctx context.Context, r Record) error {
	if r.Action == "" || r.Outcome == "" {
		return errors.New("a record of the audit log needs an action and an outcome")
	}
	e := &entry{ctx: ctx, facts: r.appendFacts(make([]byte, 0, 512)), done: make(chan error, 1)}
	select {
	case l.queue <- e:
	case <-l.stop:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("wait for the audit log: %w", ctx.Err())
	}
	select {
	case err := <-e.done:
		return err
	case <-l.ended:
		return e.answered(errClosed)
	case <-ctx.Done():
		return e.answered(fmt.Errorf("wait for the audit log: %w", ctx.Err()))
	}
}

// answered is the answer if there is one and otherwise instead.
func (e *entry) answered(instead error) error {
	select {
	case err := <-e.done:
		return err
	default:
		return instead
	}
}

// Head is the last line that this process knows to be on the disk.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Close writes what waits and closes the log. It may be repeated.
func (l *Log) Close() error {
	first := false
	l.stopping.Do(func() { first = true; close(l.stop) })
	<-l.ended
	if !first {
		return nil
	}
	return errors.Join(l.end.close(), l.dir.Close())
}
