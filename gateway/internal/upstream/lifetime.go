package upstream

import (
	"context"
	"net/http/httptrace"
	"slices"
	"sync"
	"time"
)

// lifetime is the context of an exchange: it ends at the route's timeout, or
// with the client. It is a type of our own because it is used again: one of
// the standard library's is made anew for each request, with a channel and two
// maps of children, and is tied to the server's at once, though most answers
// come before anybody could have left. It carries the hooks of httptrace, and no
// value of the server's context.
type lifetime struct {
	traced context.Context // for its values alone
	done   chan struct{}

	mu    sync.Mutex
	cause error // why it ended; nil while it lasts
	after []*func()
}

var _ interface {
	context.Context
	AfterFunc(func()) func() bool // or package context starts a goroutine for each child
} = (*lifetime)(nil)

func newLifetime(hooks *httptrace.ClientTrace) *lifetime {
	return &lifetime{traced: httptrace.WithClientTrace(context.Background(), hooks), done: make(chan struct{})}
}

// Deadline is none: the timer that ends it is the exchange's.
func (l *lifetime) Deadline() (time.Time, bool) { return time.Time{}, false }

func (l *lifetime) Done() <-chan struct{} { return l.done }

func (l *lifetime) Value(key any) any { return l.traced.Value(key) }

// Err is the cause itself, so that context.Cause of every child is it too.
func (l *lifetime) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// AfterFunc has f called on a goroutine of its own at the end, as
// context.AfterFunc does; stop reports whether that will not happen any more.
func (l *lifetime) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		go f()
		return func() bool { return false }
	}
	mine := &f
	l.after = append(l.after, mine)
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		i := slices.Index(l.after, mine)
		if i >= 0 {
			l.after = slices.Delete(l.after, i, i+1)
		}
		return i >= 0
	}
}

// end ends it; the first cause stands.
func (l *lifetime) end(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		return
	}
	l.cause = cause
	close(l.done)
	for _, f := range l.after {
		go (*f)()
	}
	l.after = nil
}

// unused reports whether it lasts and nobody waits for its end: only then may
// another exchange live by it.
func (l *lifetime) unused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause == nil && len(l.after) == 0
}
