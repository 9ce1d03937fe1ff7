package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// maxBatch bounds the changes of one commit, and those that wait beside it.
// A change takes tens of microseconds, so that another process waits for the
// write lock for some milliseconds only, far below its busyTimeout.
const maxBatch = 256

var errClosed = errors.New("the database is closed")

// writer commits in groups: a commit waits for the disk, and while it does the
// changes that come in gather for the next one. One goroutine runs them.
type writer struct {
	db          *sql.DB
	queue       chan *change
	stop, ended chan struct{}
	stopping    sync.Once
}

// change is one caller's part of a commit.
type change struct {
	ctx  context.Context
	do   func(*sql.Tx) error
	done chan error // takes one answer without waiting

	// mu is held while do runs: who stops waiting may use what do wrote.
	mu sync.Mutex
}

// panicked brings a panic from the writer back to the goroutine it belongs to.
type panicked struct{ text string }

func (p panicked) Error() string { return p.text }

func startWriter(db *sql.DB) *writer {
	w := &writer{db: db, queue: make(chan *change, maxBatch), stop: make(chan struct{}), ended: make(chan struct{})}
	go w.run()
	return w
}

// close ends the writer after the changes that wait.
func (w *writer) close() {
	w.stopping.Do(func() { close(w.stop) })
	<-w.ended
}

// change runs do in a write transaction and returns nil once what it wrote is
// on the disk. The write lock is taken before do reads anything, and no other
// change runs meanwhile, in this process or another.
//
// do runs on another goroutine and shares its transaction with the changes of
// other callers: when it fails, what it wrote is undone and theirs is not. It
// must be quick, call only the database, and neither commit nor roll back.
// When ctx ends, change returns its error: before do began, do does not run
// any more; after that, do has ended and whether its change stays is not known.
// A panic in do is one in change.
func (s *Store) change(ctx context.Context, do func(*sql.Tx) error) error {
	c := &change{ctx: ctx, do: do, done: make(chan error, 1)}
	select {
	case s.writer.queue <- c:
	case <-s.writer.stop:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("wait to write to the database: %w", ctx.Err())
	}
	var err error
	select {
	case err = <-c.done:
	case <-s.writer.ended:
		err = c.answered(errClosed)
	case <-ctx.Done():
		c.mu.Lock() // do ends, or finds that ctx has ended
		c.mu.Unlock()
		err = c.answered(fmt.Errorf("wait for a write to the database: %w", ctx.Err()))
	}
	if p, ok := errors.AsType[panicked](err); ok {
		panic(p.text)
	}
	return err
}

// answered is the answer if there is one and otherwise instead.
func (c *change) answered(instead error) error {
	select {
	case err := <-c.done:
		return err
	default:
		return instead
	}
}

func (w *writer) run() {
	defer close(w.ended)
	batch := make([]*change, 0, maxBatch)
	for {
		batch = batch[:0]
		select {
		case c := <-w.queue:
			batch = append(batch, c)
		case <-w.stop:
		}
		runtime.Gosched() // those just answered come back with their next
		batch = w.gather(batch)
		if len(batch) == 0 { // stopped, and nobody waits
			return
		}
		w.commit(batch)
		clear(batch)
	}
}

// gather adds what waits already.
func (w *writer) gather(batch []*change) []*change {
	for len(batch) < maxBatch {
		select {
		case c := <-w.queue:
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

// commit runs the batch in one transaction and answers everybody.
func (w *writer) commit(batch []*change) {
	errs := make([]error, len(batch))
	if err := w.transact(batch, errs); err != nil {
		for i := range errs {
			if errs[i] == nil {
				errs[i] = err
			}
		}
	}
	for i, c := range batch {
		c.done <- errs[i]
	}
}

// transact leaves the error of each change in errs and returns the one that
// concerns all others. Its own statements run to their end: who waits for them
// is more than one caller.
func (w *writer) transact(batch []*change, errs []error) error {
	ctx := context.Background()
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a write: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // a no-op once committed
	for i, c := range batch {
		if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
			return fmt.Errorf("begin a change: %w", err)
		}
		end := "RELEASE one"
		if errs[i] = c.run(tx); errs[i] != nil {
			end = "ROLLBACK TO one; RELEASE one"
		}
		// Fails when SQLite has rolled everything back by itself, as it does
		// when the disk is full: then nobody's change is there.
		if _, err := tx.ExecContext(ctx, end); err != nil {
			return fmt.Errorf("end a change: %w", errors.Join(err, errs[i]))
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit a write: %w", err)
	}
	return nil
}

// run calls do unless nobody waits for it any more.
func (c *change) run(tx *sql.Tx) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ctx.Err(); err != nil {
		return fmt.Errorf("wait to write to the database: %w", err)
	}
	defer func() {
		if r := recover(); r != nil {
			err = panicked{fmt.Sprintf("%v [in a change of the database]\n%s", r, debug.Stack())}
		}
	}()
	return c.do(tx)
}
