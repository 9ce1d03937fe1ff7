package audit

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// begin finds the log's end, and puts on the disk what a process that died may
// have left in the system's memory.
func (l *Log) begin() error {
	l.end.dir = l.cfg.Dir
	return l.locked(func() error {
		if err := l.end.find(); err != nil {
			return err
		}
		return l.write(nil)
	})
}

// run writes in batches: while the disk works on one the next gathers.
func (l *Log) run() {
	defer close(l.ended)
	batch := make([]*entry, 0, maxBatch)
	for {
		batch = batch[:0]
		select {
		case e := <-l.queue:
			batch = append(batch, e)
		case <-l.stop:
		}
		runtime.Gosched() // those just answered come back with their next
		batch = l.gather(batch)
		if len(batch) == 0 { // stopped, and nothing waits
			return
		}
		err := l.locked(func() error {
			if err := l.end.catchUp(l.dir); err != nil {
				return err
			}
			return l.write(batch)
		})
		if err != nil {
			err = fmt.Errorf("append to the audit log: %w", err)
		}
		for _, e := range batch {
			if e.left != nil {
				e.done <- e.left
			} else {
				e.done <- err
			}
		}
		clear(batch)
	}
}

// gather adds what waits already.
func (l *Log) gather(batch []*entry) []*entry {
	bytes := 0
	for len(batch) < maxBatch && bytes < maxBatchBytes {
		select {
		case e := <-l.queue:
			batch = append(batch, e)
			bytes += len(e.facts)
		default:
			return batch
		}
	}
	return batch
}

// write appends the batch, under the lock and with the end known. Either all of
// it is on the disk or nothing of it is in the log.
func (l *Log) write(batch []*entry) error {
	e := &l.end
	var text []byte
	last := e.last
	now := l.cfg.Now().UTC().Truncate(time.Microsecond)
	at := now.Format(timeLayout)
	add := func(facts []byte) {
		prev := last.Hash
		if last.Seq == 0 {
			prev = noLine
		}
		start := len(text)
		text = appendLine(text, last.Seq+1, prev, at, facts)
		last = Head{Seq: last.Seq + 1, Hash: hash(text[start:]), Time: now}
		text = append(text, '\n')
	}
	if e.torn > 0 {
		add(Record{Action: "audit", Outcome: "recovered", Detail: strconv.FormatInt(e.torn, 10) +
			" bytes of a line that was not finished were cut off"}.appendFacts(nil))
	}
	for _, entry := range batch {
		if entry.left = entry.ctx.Err(); entry.left == nil {
			add(entry.facts)
		}
	}
	if len(text) > 0 && (e.file == nil || e.size > 0 && e.size+int64(len(text)) > l.cfg.SegmentSize) {
		if err := e.begin(l.dir); err != nil {
			return err
		}
	}
	if e.file == nil {
		return nil
	}
	_, err := e.file.WriteAt(text, e.size)
	if err == nil {
		err = e.file.Sync()
	}
	if err != nil {
		// No part of it may stay, or the next line would not follow the last
		// one that was answered. Where this fails too, the next batch takes
		// what it finds for written.
		return errors.Join(err, e.file.Truncate(e.size))
	}
	e.size, e.last, e.torn = e.size+int64(len(text)), last, 0
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head = last
	return nil
}

// locked runs do while no other process writes.
func (l *Log) locked(do func() error) error {
	fd := int(l.dir.Fd())
	for {
		err := syscall.Flock(fd, syscall.LOCK_EX)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("lock the audit log: %w", err)
		}
	}
	defer func() { _ = syscall.Flock(fd, syscall.LOCK_UN) }()
	return do()
}
