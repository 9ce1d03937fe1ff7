package chassis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/services/chassis"
)

// sink collects what is written and counts the writes.
type sink struct {
	mu     sync.Mutex
	bytes  bytes.Buffer
	writes int
}

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	return s.bytes.Write(b)
}

func TestEveryLineArrivesWholeAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sink
		e := chassis.NewEventWriter(&out, 1<<20)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		var writers sync.WaitGroup
		for w := range 8 {
			writers.Go(func() {
				for i := range 100 {
					fmt.Fprintf(e, "%d-%d\n", w, i)
					time.Sleep(time.Millisecond)
				}
			})
		}
		writers.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		seen := map[string]int{}
		for line := range strings.Lines(out.bytes.String()) {
			seen[line]++
		}
		if len(seen) != 800 || e.Dropped() != 0 {
			t.Errorf("%d different lines, %d dropped", len(seen), e.Dropped())
		}
		if out.writes > 40 {
			t.Errorf("%d writes for 800 lines in 100 ms: they are not gathered", out.writes)
		}
	})
}

func TestALineShowsSoonAlsoWhenItIsTheOnlyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sink
		e := chassis.NewEventWriter(&out, 1<<10)
		go e.Run(t.Context())
		e.Write([]byte("one\n"))
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		if out.bytes.String() != "one\n" {
			t.Errorf("after 20 ms there is %q", out.bytes.String())
		}
	})
}

// stalled is a reader that never reads again.
type stalled struct{ forever chan struct{} }

func (s stalled) Write([]byte) (int, error) {
	<-s.forever
	return 0, io.ErrClosedPipe
}

func TestAStalledReaderStallsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := stalled{make(chan struct{})}
		e := chassis.NewEventWriter(out, 100)
		go e.Run(t.Context())
		began := time.Now()
		for range 1000 {
			e.Write([]byte("ten bytes\n"))
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("1000 writes took %v longer than they should", took-time.Second)
		}
		// 100 bytes wait and at most 100 are being written.
		if n := e.Dropped(); n < 980 || n > 990 {
			t.Errorf("%d of 1000 lines dropped", n)
		}
		began = time.Now()
		if err := e.Close(); err == nil {
			t.Error("the loss is not reported")
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the exit took %v", took)
		}
		close(out.forever)
	})
}

func TestALineAfterTheEndIsCountedAsLost(t *testing.T) {
	var out sink
	e := chassis.NewEventWriter(&out, 100)
	e.Write([]byte("before\n"))
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Error(err)
	}
	e.Write([]byte("after\n"))
	if out.bytes.String() != "before\n" || e.Dropped() != 1 {
		t.Errorf("written %q, dropped %d", out.bytes.String(), e.Dropped())
	}
}

// refusing fails after it took some bytes, as a pipe does whose reader left.
type refusing int

func (n refusing) Write([]byte) (int, error) { return int(n), io.ErrClosedPipe }

func TestLinesThatAReaderRefusesAreCounted(t *testing.T) {
	e := chassis.NewEventWriter(refusing(5), 100)
	e.Write([]byte("one\ntwo\nthree\n"))
	e.Close()
	if e.Dropped() != 2 {
		t.Errorf("%d lines counted as lost, want 2: the first was taken", e.Dropped())
	}
}

func TestALineTooLongForTheBufferIsDroppedWhole(t *testing.T) {
	var out sink
	e := chassis.NewEventWriter(&out, 10)
	e.Write([]byte(strings.Repeat("x", 11)))
	e.Write([]byte("fits\n"))
	e.Close()
	if out.bytes.String() != "fits\n" || e.Dropped() != 1 {
		t.Errorf("written %q, dropped %d", out.bytes.String(), e.Dropped())
	}
}

func TestWritingALineAllocatesNothing(t *testing.T) {
	e := chassis.NewEventWriter(io.Discard, 1<<20)
	line := []byte(strings.Repeat("x", 499) + "\n")
	for range 2000 { // grows the buffer to its final size
		e.Write(line)
	}
	if n := testing.AllocsPerRun(1000, func() { e.Write(line) }); n != 0 {
		t.Errorf("%v allocations a line", n)
	}
	e.Close()
}
