package framing

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// lazy is a connection whose read deadline moves only when a read would
// otherwise end too late. http.Server sets seven for every request, nearly all
// of them later than the one that stands, and each would move a timer of the
// runtime. One that goes off too early is set again, and the read repeated.
type lazy struct {
	net.Conn

	mu      sync.Mutex
	wanted  time.Time // zero for none
	armed   time.Time // what the connection below has
	reading bool
}

func (l *lazy) Read(p []byte) (int, error) {
	l.mu.Lock()
	err := l.arm()
	l.reading = err == nil
	l.mu.Unlock()
	for err == nil {
		var n int
		if n, err = l.Conn.Read(p); err == nil || n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			l.mu.Lock()
			l.reading = false
			l.mu.Unlock()
			return n, err
		}
		err = l.early(err)
	}
	return 0, err
}

// early sets the deadline again after one that went off before its time; else it
// returns the error of the read that ended.
func (l *lazy) early(ended error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wanted.IsZero() || time.Now().Before(l.wanted) {
		ended = l.move()
	}
	l.reading = ended == nil
	return ended
}

// arm moves the deadline when it stands later than wanted.
func (l *lazy) arm() error {
	if l.wanted.IsZero() || !l.armed.IsZero() && !l.wanted.Before(l.armed) {
		return nil
	}
	return l.move()
}

func (l *lazy) move() error {
	l.armed = l.wanted
	return l.Conn.SetReadDeadline(l.wanted)
}

// SetReadDeadline is passed on at once only if a read under way has to end
// sooner.
func (l *lazy) SetReadDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted = t
	if !l.reading {
		return nil
	}
	return l.arm()
}

// SetDeadline sets both, as net.Conn says.
func (l *lazy) SetDeadline(t time.Time) error {
	return errors.Join(l.SetReadDeadline(t), l.SetWriteDeadline(t))
}
