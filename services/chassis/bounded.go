package chassis

import (
	"net"
	"sync"
)

// slots are the connections that may be open at once, shared by the listeners
// of one server.
type slots chan struct{}

// bounded is a listener that hands out connections only while there are free
// slots; it holds at most one more.
type bounded struct {
	net.Listener
	slots  slots
	closed chan struct{}
	once   sync.Once
}

func bound(l net.Listener, s slots) net.Listener {
	return &bounded{Listener: l, slots: s, closed: make(chan struct{})}
}

// Accept waits for a connection, then for a free slot. The other way round a
// listener where nobody calls would keep a slot from one where many do.
func (b *bounded) Accept() (net.Conn, error) {
	conn, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case b.slots <- struct{}{}:
		return &slotted{Conn: conn, slots: b.slots}, nil
	case <-b.closed:
		conn.Close()
		return nil, net.ErrClosed
	}
}

func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// slotted is a connection that gives its slot back when it is closed.
type slotted struct {
	net.Conn
	slots slots
	once  sync.Once
}

func (s *slotted) Close() error {
	err := s.Conn.Close()
	s.once.Do(func() { <-s.slots })
	return err
}
