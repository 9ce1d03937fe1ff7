package chassis

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// gather is how long lines are collected before they are written together:
	// one system call for hundreds of requests, and still "now" to a person.
	gather = 10 * time.Millisecond
	// closeWait bounds how long a reader that stalls may hold up our exit.
	closeWait = time.Second
)

// EventWriter writes lines to a slow or stalled reader without ever making the
// writer of a line wait: it holds a bounded number of bytes, and drops and
// counts the lines that find no room.
type EventWriter struct {
	out   io.Writer
	limit int

	mu      sync.Mutex
	pending []byte
	closed  bool

	dropped atomic.Uint64
	first   chan struct{} // pending was empty and is not any more
	full    chan struct{} // pending is half full
	stop    chan struct{}
	done    chan struct{} // the pump has ended
	start   sync.Once
	end     sync.Once
}

// NewEventWriter returns a writer to out that holds at most bytes unwritten,
// and once more as much while a write is under way.
func NewEventWriter(out io.Writer, bytes int) *EventWriter {
	return &EventWriter{
		out:   out,
		limit: bytes,
		first: make(chan struct{}, 1),
		full:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
	}
}

// Write takes a copy of line, which ends in a newline, or drops and counts it.
// It never waits and always reports success, for a lost event must not fail a
// request.
func (e *EventWriter) Write(line []byte) (int, error) {
	e.mu.Lock()
	had := len(e.pending)
	fits := !e.closed && had+len(line) <= e.limit
	if fits {
		e.pending = append(e.pending, line...)
	}
	has := len(e.pending)
	e.mu.Unlock()
	switch {
	case !fits:
		e.dropped.Add(1)
	case had == 0:
		poke(e.first)
	case had <= e.limit/2 && has > e.limit/2:
		poke(e.full)
	}
	return len(line), nil
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Dropped is how many lines were lost so far.
func (e *EventWriter) Dropped() uint64 { return e.dropped.Load() }

// Run writes until ctx ends or Close is called, then writes what is left as
// Close does. Its context should outlive the requests that write events, drain
// included.
func (e *EventWriter) Run(ctx context.Context) error {
	e.start.Do(func() { go e.pump() })
	select {
	case <-ctx.Done():
	case <-e.stop:
	}
	return e.Close()
}

// Close takes no more lines, waits until all are written, at most a second, and
// returns an error if some could not be.
func (e *EventWriter) Close() error {
	e.end.Do(func() {
		e.mu.Lock()
		e.closed = true
		e.mu.Unlock()
		close(e.stop)
	})
	e.start.Do(func() { go e.pump() })
	select {
	case <-e.done:
		return nil
	case <-time.After(closeWait):
		return fmt.Errorf("the reader of the events stalls: what it has not read within %v is lost", closeWait)
	}
}

// pump moves pending lines to out until the writer is closed and empty.
func (e *EventWriter) pump() {
	defer close(e.done)
	var batch []byte
	for e.wait() {
		e.mu.Lock()
		batch, e.pending = e.pending, batch[:0]
		e.mu.Unlock()
		// A write that fails has lost at least its last line; how much of the
		// rest was read nobody knows.
		if n, err := e.out.Write(batch); err != nil {
			e.dropped.Add(uint64(bytes.Count(batch[min(max(n, 0), len(batch)):], []byte{'\n'})))
		}
	}
}

// wait returns true when there is something to write, false when there never
// will be.
func (e *EventWriter) wait() bool {
	for {
		select {
		case <-e.first:
		case <-e.stop:
			return e.waiting()
		}
		select {
		case <-time.After(gather):
		case <-e.full:
		case <-e.stop:
		}
		if e.waiting() {
			return true
		}
	}
}

func (e *EventWriter) waiting() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.pending) > 0
}
