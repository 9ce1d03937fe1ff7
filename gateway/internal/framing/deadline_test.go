package framing

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// moves counts how often the deadline below is moved.
type moves struct {
	net.Conn
	n int
}

func (m *moves) SetReadDeadline(t time.Time) error {
	m.n++
	return m.Conn.SetReadDeadline(t)
}

// read ends with what it took, in virtual time.
func (l *lazy) read() (took time.Duration, err error) {
	began := time.Now()
	_, err = l.Read(make([]byte, 8))
	return time.Since(began), err
}

func TestAReadEndsAtTheDeadlineThatWasSetLast(t *testing.T) {
	long, short := 10*time.Second, time.Second
	for name, c := range map[string]struct {
		before, later time.Duration // set before the read, and 100 ms into it; 0 for none, less for what has passed
		ends          time.Duration
	}{
		"as set before the read":               {short, short, short},
		"set later while it waits":             {short, long, long},
		"set sooner while it waits":            {long, short, short},
		"set where there was none":             {0, short, short},
		"set in the past, to interrupt it":     {long, -1, 100 * time.Millisecond},
		"set in the past where there was none": {0, -1, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				defer ours.Close()
				defer theirs.Close()
				l := &lazy{Conn: ours}
				at := time.Now()
				set := func(d time.Duration) {
					until := at.Add(d)
					if d == 0 {
						until = time.Time{}
					}
					if d < 0 {
						until = time.Unix(1, 0)
					}
					if err := l.SetReadDeadline(until); err != nil {
						t.Error(err)
					}
				}
				set(c.before)
				time.AfterFunc(100*time.Millisecond, func() { set(c.later) })
				took, err := l.read()
				if !errors.Is(err, os.ErrDeadlineExceeded) || took != c.ends {
					t.Errorf("it ended after %v with %v, want %v", took, err, c.ends)
				}
				if took, err := l.read(); !errors.Is(err, os.ErrDeadlineExceeded) || took != 0 {
					t.Errorf("the next ended after %v with %v, want at once", took, err)
				}
				// What interrupted a read must not end one that nobody wants ended.
				set(0)
				go func() {
					time.Sleep(time.Minute)
					_, _ = theirs.Write([]byte("late"))
				}()
				if took, err := l.read(); err != nil || took != time.Minute {
					t.Errorf("without a deadline it ended after %v with %v", took, err)
				}
			})
		})
	}
}

func TestDeadlinesThatMoveOnCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		defer theirs.Close()
		below := &moves{Conn: ours}
		l := &lazy{Conn: below}
		go func() {
			for range 100 {
				_, _ = theirs.Write([]byte("request"))
			}
		}()
		for range 100 {
			for _, d := range []time.Duration{5 * time.Second, 30 * time.Second, 0, time.Minute} {
				until := time.Time{}
				if d > 0 {
					until = time.Now().Add(d)
				}
				if err := l.SetReadDeadline(until); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := l.read(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if below.n != 1 {
			t.Errorf("the deadline below was moved %d times for 100 requests, want once", below.n)
		}
	})
}
