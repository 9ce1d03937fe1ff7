package fault

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// dialTimeout bounds connecting to the target.
	dialTimeout = 5 * time.Second
	// relistenTime bounds getting the port back after Refuse: another process may
	// have an outgoing connection from it for a moment.
	relistenTime = 5 * time.Second
)

// Proxy passes connections on to a target. It is safe for concurrent use.
type Proxy struct {
	target, addr string

	mu       sync.Mutex
	fault    Fault
	changed  chan struct{} // closed when the fault is another
	closed   bool
	listener net.Listener // nil while it refuses
	links    map[*link]bool
	running  sync.WaitGroup
}

// New listens on a free port of 127.0.0.1 and passes on to the target, a
// host:port that need not be there yet.
func New(target string) (*Proxy, error) {
	if _, _, err := net.SplitHostPort(target); err != nil {
		return nil, fmt.Errorf("the target of a fault proxy: %w", err)
	}
	p := &Proxy{target: target, addr: "127.0.0.1:0", changed: make(chan struct{}), links: map[*link]bool{}}
	if err := p.listen(); err != nil {
		return nil, err
	}
	p.addr = p.listener.Addr().String()
	return p, nil
}

// Addr is where it listens, or did while it refuses.
func (p *Proxy) Addr() string { return p.addr }

// Set changes the fault, for connections under way as well. The error is that the
// port could not be had again after Refuse.
func (p *Proxy) Set(f Fault) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.fault = f
	close(p.changed)
	p.changed = make(chan struct{})
	if f.kind == refuse {
		p.refuse()
		return nil
	}
	if p.listener == nil {
		return p.listen()
	}
	return nil
}

// Close ends it and all its connections.
func (p *Proxy) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.changed)
		p.refuse()
	}
	p.mu.Unlock()
	p.running.Wait()
	return nil
}

// refuse needs the lock.
func (p *Proxy) refuse() {
	if p.listener != nil {
		_ = p.listener.Close() // nothing more comes of it either way
		p.listener = nil
	}
	for l := range p.links {
		l.reset()
	}
}

// listen needs the lock, or to be alone.
func (p *Proxy) listen() error {
	deadline := time.Now().Add(relistenTime)
	for {
		l, err := net.Listen("tcp", p.addr)
		if err == nil {
			p.listener = l
			p.running.Go(func() { p.accept(l) })
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a fault proxy listens: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of files, most likely
			continue
		}
		p.running.Go(func() { p.serve(client) })
	}
}

// serve passes one connection on until an end of it goes.
func (p *Proxy) serve(client net.Conn) {
	l := &link{proxy: p, client: client, ended: make(chan struct{})}
	p.mu.Lock()
	if p.closed || p.fault.kind == refuse {
		l.reset()
	}
	p.links[l] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
		l.reset()
	}()
	// Who cannot be heard is not asked.
	if !l.hold() {
		return
	}
	target, err := net.DialTimeout("tcp", p.target, dialTimeout)
	if err != nil || !l.opened(target) {
		return
	}
	requests := make(chan struct{})
	go func() {
		defer close(requests)
		l.requests()
	}()
	l.answers()
	l.reset()
	<-requests
}

// now is the fault, and a channel that tells when it is another.
func (p *Proxy) now() (Fault, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault, p.changed
}
