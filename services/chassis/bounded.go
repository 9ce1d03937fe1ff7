package chassis

import (
	"net"
	"net/netip"
	"sync"
)

// fewConnections is how many one source may have open in any case.
const fewConnections = 64

// slots are the connections that may be open at once, shared by the listeners
// of one server. One source holds half of them at most: a connection costs its
// owner nothing, and who holds them all locks everybody out.
type slots struct {
	free chan struct{}
	each int

	mu   sync.Mutex
	held map[netip.Addr]int
}

func newSlots(connections int) *slots {
	return &slots{
		free: make(chan struct{}, connections),
		each: max(connections/2, fewConnections),
		held: map[netip.Addr]int{},
	}
}

// enter counts a connection of source, or refuses it.
func (s *slots) enter(source netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[source] >= s.each {
		return false
	}
	s.held[source]++
	return true
}

// leave gives the slot of a connection back.
func (s *slots) leave(source netip.Addr) {
	s.mu.Lock()
	if s.held[source]--; s.held[source] == 0 {
		delete(s.held, source)
	}
	s.mu.Unlock()
	<-s.free
}

// bounded is a listener that hands out connections only while there are free
// slots; it holds at most one more.
type bounded struct {
	net.Listener
	slots  *slots
	closed chan struct{}
	once   sync.Once
}

func bound(l net.Listener, s *slots) net.Listener {
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
		select {
		case b.slots.free <- struct{}{}:
		case <-b.closed:
			conn.Close()
			return nil, net.ErrClosed
		}
		from := source(conn.RemoteAddr())
		if b.slots.enter(from) {
			return &slotted{Conn: conn, slots: b.slots, from: from}, nil
		}
		<-b.slots.free
		conn.Close()
	}
}

func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// source is the address that connected, or its /64: who has one address of
// IPv6 has all of those. What is not TCP is one source.
func source(addr net.Addr) netip.Addr {
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
	slots *slots
	from  netip.Addr
	once  sync.Once
}

func (s *slotted) Close() error {
	err := s.Conn.Close()
	s.once.Do(func() { s.slots.leave(s.from) })
	return err
}
