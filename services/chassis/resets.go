package chassis

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
)

// spareResets is how many streams of a connection a client may reset beyond as
// many as it let finish.
const spareResets = 200

// resets is what a connection's client did with its streams. Opening and
// resetting them costs a client next to nothing and a server a handler each
// (rapid reset, CVE-2023-44487); net/http bounds how many handlers run at once,
// but not how long this goes on.
type resets struct {
	conn     net.Conn
	finished atomic.Int64
	reset    atomic.Int64
}

type resetsKey struct{}

// withResets ends an HTTP/2 connection whose client resets more streams than it
// lets finish, and spareResets more.
func withResets(s *http.Server) {
	next := s.ConnContext
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		ctx = context.WithValue(ctx, resetsKey{}, &resets{conn: conn})
		if next != nil {
			ctx = next(ctx, conn)
		}
		return ctx
	}
	s.Handler = countResets(s.Handler)
}

func countResets(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if counts, ok := r.Context().Value(resetsKey{}).(*resets); ok && r.ProtoMajor == 2 {
			defer counts.done(r.Context())
		}
		next.ServeHTTP(w, r)
	})
}

// done counts a stream whose handler ended. Its context has ended before when
// the client reset it.
func (c *resets) done(ctx context.Context) {
	if ctx.Err() == nil {
		c.finished.Add(1)
		return
	}
	if c.reset.Add(1) > spareResets+c.finished.Load() {
		c.conn.Close()
	}
}
