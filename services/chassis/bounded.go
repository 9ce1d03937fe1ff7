package chassis

import (
	"net"
	"sync"
)

// slots are the connections that may be open at once, shared by the listeners
// of one server.
type slots chan struct{}

// bounded is a listener that accepts only while there are free slots.
type bounded struct {
	net.Listener
	slots  slots
	closed chan struct{}
	once   sync.Once
}

func bound(l net.Listener, s slots) net.Listener {
	return &bounded{Listener: l, slots: s, closed: make(chan struct{})}
}

// Accept waits for a free slot, then for a connection.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	conn, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &slotted{Conn: conn, slots: b.slots}, nil
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
