package listen

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// gate bounds how many handshakes go on at once.
type gate struct {
	places chan struct{}
	each   int

	mu   sync.Mutex
	held map[netip.Addr]int
}

func newGate(total, each int) *gate {
	if total == 0 {
		total = 1024
	}
	if each == 0 {
		each = 64
	}
	return &gate{places: make(chan struct{}, total), each: each, held: map[netip.Addr]int{}}
}

// enter lets a handshake begin; false when its source has too many, or when no
// place became free in time. While there is none, relieve is called now and then.
func (g *gate) enter(ctx context.Context, source netip.Addr, relieve func()) bool {
	g.mu.Lock()
	if g.held[source] >= g.each {
		g.mu.Unlock()
		return false
	}
	g.held[source]++
	g.mu.Unlock()
	for {
		select {
		case g.places <- struct{}{}:
			return true
		default:
			relieve()
		}
		select {
		case g.places <- struct{}{}:
			return true
		case <-time.After(pressed):
		case <-ctx.Done():
			g.forget(source)
			return false
		}
	}
}

func (g *gate) leave(source netip.Addr) {
	<-g.places
	g.forget(source)
}

func (g *gate) forget(source netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held[source]--; g.held[source] == 0 {
		delete(g.held, source)
	}
}
