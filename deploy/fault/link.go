package fault

import (
	"net"
	"sync"
	"time"
)

const (
	// pieceBytes is how much is passed on at once.
	pieceBytes = 4 << 10
	// piecesHeld bounds what is held back of one connection: a MiB.
	piecesHeld = 256
)

// link is one connection through a proxy.
type link struct {
	proxy *Proxy
	ended chan struct{}

	mu             sync.Mutex
	client, target net.Conn
	gone           bool
}

// opened notes the connection to the target, unless the link has ended meanwhile.
func (l *link) opened(target net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		_ = target.Close()
		return false
	}
	l.target = target
	return true
}

// reset ends both sides at once: no byte more, and no orderly end, which TLS and
// HTTP could take for the end of an answer.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return
	}
	l.gone = true
	close(l.ended)
	for _, c := range []net.Conn{l.client, l.target} {
		if c == nil {
			continue
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // best effort: else it ends by FIN
		}
		_ = c.Close()
	}
}

// hold waits while the fault is Hang. It returns false when the link has ended.
func (l *link) hold() bool {
	for {
		f, changed := l.proxy.now()
		if f.kind != hang {
			return true
		}
		select {
		case <-changed:
		case <-l.ended:
			return false
		}
	}
}

// requests passes on what the client sends.
func (l *link) requests() {
	data := make([]byte, pieceBytes)
	for {
		n, err := l.client.Read(data)
		if n > 0 {
			if !l.hold() {
				return
			}
			if _, err := l.target.Write(data[:n]); err != nil {
				l.reset()
				return
			}
		}
		if err != nil {
			// The client has no more to say and may yet listen.
			if tcp, ok := l.target.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
			return
		}
	}
}

// piece is what the target sent, and when.
type piece struct {
	data []byte
	at   time.Time
}

// answers passes on what the target sends, as the fault lets it.
func (l *link) answers() {
	// What is late must not make what follows later still.
	pieces := make(chan piece, piecesHeld)
	go func() {
		defer close(pieces)
		for {
			data := make([]byte, pieceBytes)
			n, err := l.target.Read(data)
			if n > 0 {
				select {
				case pieces <- piece{data[:n], time.Now()}:
				case <-l.ended:
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	left, began := int64(0), (<-chan struct{})(nil)
	for p := range pieces {
		if !l.hold() {
			return
		}
		f, changed := l.proxy.now()
		if changed != began { // another fault, or the same once more
			left, began = f.after, changed
		}
		switch f.kind {
		case delay:
			if !l.wait(time.Until(p.at.Add(f.delay)), changed) {
				return
			}
		case cut:
			if int64(len(p.data)) > left {
				_, _ = l.client.Write(p.data[:left]) // it is cut either way
				return
			}
			left -= int64(len(p.data))
		}
		if _, err := l.client.Write(p.data); err != nil {
			return
		}
	}
}

// wait lets d pass, or less if the fault changes. It returns false when the link
// has ended.
func (l *link) wait(d time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-changed:
		return l.hold()
	case <-l.ended:
		return false
	}
}
