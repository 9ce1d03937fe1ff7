package main

import (
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"portcullis/certs"
	"portcullis/gateway/internal/framing"
	"portcullis/gateway/internal/listen"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/chassis"
)

// bounds are what a client may cost before the policy is asked.
type bounds struct {
	connections, perSource            int
	handshakes, handshakesPerSource   int
	handshake, header, idle, stalling time.Duration
	bodyRate, streams                 int
}

func (b *bounds) flags(f *pflag.FlagSet) {
	f.IntVar(&b.connections, "connections", 0, "most client connections at once; default: 4096")
	f.IntVar(&b.perSource, "connections-per-source", 0, "most of them from one IPv4 address or IPv6 /64; default: half")
	f.IntVar(&b.handshakes, "handshakes", 0, "most TLS handshakes at once; default: 1024")
	f.IntVar(&b.handshakesPerSource, "handshakes-per-source", 0, "most of them from one IPv4 address or IPv6 /64; default: 64")
	f.DurationVar(&b.handshake, "handshake-timeout", 0, "for the PROXY header and the TLS handshake; default: 5s")
	f.DurationVar(&b.header, "header-timeout", 0, "for the header of a request; default: 5s")
	f.DurationVar(&b.idle, "idle-timeout", 0, "how long a connection waits for its next request; default: 1m")
	f.DurationVar(&b.stalling, "stall-timeout", 0, "how long a client may take for some kilobytes of an answer; default: 15s")
	f.IntVar(&b.bodyRate, "body-rate", 0, "bytes a second that a request body has to bring, after five seconds, where its route's timeout is longer than that; default: 500")
	f.IntVar(&b.streams, "streams", 0, "requests under way over HTTP/2 from which each connection gets four at once; default: 4096")
}

func (b *bounds) limits() chassis.Limits {
	return chassis.Limits{Connections: b.connections, ConnectionsPerSource: b.perSource, ReadHeader: b.header, Idle: b.idle}
}

// acceptor takes the connections of the public port.
func (s *serving) acceptor(current *pipeline.Current, metrics prometheus.Registerer, log *slog.Logger) (*listen.Acceptor, error) {
	var files []certs.Files
	for i := range s.certs {
		files = append(files, certs.Files{Cert: s.certs[i], Key: s.keys[i]})
	}
	shelf, err := certs.NewShelf(files, log)
	if err != nil {
		return nil, err
	}
	refused, err := framingRefusals(metrics)
	if err != nil {
		return nil, err
	}
	return listen.New(listen.Config{
		Current: current, Certificates: shelf, Metrics: metrics, Log: log,
		Wrap:      func(c net.Conn) net.Conn { return framing.NewServer(c, refused) },
		Handshake: s.bounds.handshake, Handshakes: s.bounds.handshakes, HandshakesPerSource: s.bounds.handshakesPerSource, Stall: s.bounds.stalling,
	})
}

// framingRefusals counts the connections on which a request could be read in two
// ways, by why.
func framingRefusals(metrics prometheus.Registerer) (func(reason string), error) {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "portcullis_framing_refusals_total",
		Help: "Connections refused because two parsers could have read a request on them in two ways, by what was wrong.",
	}, []string{"reason"})
	byReason := make(map[string]prometheus.Counter)
	for _, reason := range framing.Reasons() {
		byReason[reason] = counter.WithLabelValues(reason)
	}
	return func(reason string) {
		if c := byReason[reason]; c != nil {
			c.Inc()
		}
	}, metrics.Register(counter)
}
