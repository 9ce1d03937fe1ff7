package chassis

import (
	"net"
	"net/netip"
	"sync"
)

// fewConnections is how many one source may have open in any case.
const fewConnections = 64

// Slots are the connections that may be open at once, shared by the listeners
// of one server. One source holds half of them at most, or what Limits say: a
// connection costs its owner nothing, and who holds them all locks everybody out.
type Slots struct {
	free chan struct{}
	each int

	mu   sync.Mutex
	held map[netip.Addr]int
}

// NewSlots are as many as l allows.
func NewSlots(l Limits) (*Slots, error) {
	l, err := l.withDefaults()
	if err != nil {
		return nil, err
	}
	return newSlots(l), nil
}

func newSlots(l Limits) *Slots {
	return &Slots{free: make(chan struct{}, l.Connections), each: l.ConnectionsPerSource, held: map[netip.Addr]int{}}
}

// Take waits for a free slot; false when closed came first.
func (s *Slots) Take(closed <-chan struct{}) bool {
	select {
	case s.free <- struct{}{}:
		return true
	case <-closed:
		return false
	}
}

// TryTake takes a slot if one is free.
func (s *Slots) TryTake() bool {
	select {
	case s.free <- struct{}{}:
		return true
	default:
		return false
	}
}

// Give gives back a slot that was taken.
func (s *Slots) Give() { <-s.free }

// Taken is how many slots are taken.
func (s *Slots) Taken() int { return len(s.free) }

// Enter counts a connection of source against its share, or refuses it. Who
// entered has to Leave.
func (s *Slots) Enter(source netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[source] >= s.each {
		return false
	}
	s.held[source]++
	return true
}

// Leave ends what Enter began.
func (s *Slots) Leave(source netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[source]--; s.held[source] == 0 {
		delete(s.held, source)
	}
}

// bounded is a listener that hands out connections only while there are free
// slots; it holds at most one more.
type bounded struct {
	net.Listener
	slots  *Slots
	closed chan struct{}
	once   sync.Once
}

func bound(l net.Listener, s *Slots) net.Listener {
	return &bounded{Listener: l, slots: s, closed: make(chan struct{})}
}

// Accept waits for a connection, then for a free slot. The other way round a
// listener where nobody calls would keep a slot from one where many do.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		conn, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if !b.slots.Take(b.closed) {
			conn.Close()
			return nil, net.ErrClosed
		}
		from := Source(conn.RemoteAddr())
		if b.slots.Enter(from) {
			return &slotted{Conn: conn, slots: b.slots, from: from}, nil
		}
		b.slots.Give()
		conn.Close()
	}
}

func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// Source is the address that connected, or its /64: who has one address of
// IPv6 has all of those. What is not TCP is one source.
func Source(addr net.Addr) netip.Addr {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	from := tcp.AddrPort().Addr().Unmap().WithZone("")
	if prefix, err := from.Prefix(64); err == nil {
		return prefix.Addr()
	}
	return from // IPv4 has no 64 bits
}

// slotted is a connection that gives its slot back when it is closed.
type slotted struct {
	net.Conn
	slots *Slots
	from  netip.Addr
	once  sync.Once
}

func (s *slotted) Close() error {
	err := s.Conn.Close()
	s.once.Do(func() {
		s.slots.Leave(s.from)
		s.slots.Give()
	})
	return err
}
