package chassis

import (
	"fmt"
	"net/http"
	"time"
)

// Limits bound what a client may cost. Zero takes the default; there is no
// value for "no limit".
type Limits struct {
	// ReadHeader bounds the TLS handshake and the reading of a request's header
	// fields; default 5 s. It is what a slowloris runs into.
	ReadHeader time.Duration
	// Read bounds the reading of a whole request; default 30 s.
	Read time.Duration
	// Write bounds the writing of a response, from the end of the request's
	// header; default 60 s. A handler that streams for longer moves it with
	// http.ResponseController.
	Write time.Duration
	// Idle is how long a connection waits for its next request; default 60 s.
	Idle time.Duration
	// HeaderBytes bounds the header fields of a request; default 32 KiB.
	HeaderBytes int
	// Connections bounds how many are open at once; default 4096. More wait in
	// the system's queue.
	Connections int
	// ConnectionsPerSource bounds how many of them one source has, an IPv4
	// address or an IPv6 /64, which is hung up on beyond; default half of
	// Connections, and 64 in any case.
	ConnectionsPerSource int
}

// withDefaults fills in zeros and refuses what is negative.
func (l Limits) withDefaults() (Limits, error) {
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{
		{"ReadHeader", &l.ReadHeader, 5 * time.Second},
		{"Read", &l.Read, 30 * time.Second},
		{"Write", &l.Write, time.Minute},
		{"Idle", &l.Idle, time.Minute},
	} {
		if *d.value < 0 {
			return l, fmt.Errorf("the limit %s is %v: it cannot be negative, and nothing is unlimited here", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.zero
		}
	}
	for _, n := range []struct {
		name  string
		value *int
		zero  int
	}{
		{"HeaderBytes", &l.HeaderBytes, 32 << 10},
		{"Connections", &l.Connections, 4096},
		{"ConnectionsPerSource", &l.ConnectionsPerSource, 0},
	} {
		if *n.value < 0 {
			return l, fmt.Errorf("the limit %s is %d: it cannot be negative, and nothing is unlimited here", n.name, *n.value)
		}
		if *n.value == 0 {
			*n.value = n.zero
		}
	}
	if l.ConnectionsPerSource == 0 {
		l.ConnectionsPerSource = max(l.Connections/2, fewConnections)
	}
	return l, nil
}

// apply sets the bounds on a server, HTTP/2's own included.
func (l Limits) apply(s *http.Server) {
	s.ReadHeaderTimeout = l.ReadHeader
	s.ReadTimeout = l.Read
	s.WriteTimeout = l.Write
	s.IdleTimeout = l.Idle
	s.MaxHeaderBytes = l.HeaderBytes
	s.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: 100,
		MaxReadFrameSize:     16 << 10,
		// What one connection may make us hold unread, and each of its streams.
		MaxReceiveBufferPerConnection: 1 << 20,
		MaxReceiveBufferPerStream:     256 << 10,
		// A peer that vanished without a word is noticed; one that stops
		// reading does not hold its connection for long.
		SendPingTimeout:  15 * time.Second,
		PingTimeout:      15 * time.Second,
		WriteByteTimeout: 15 * time.Second,
	}
}
