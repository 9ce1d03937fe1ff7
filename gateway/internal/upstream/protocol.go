package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// Protocol is what the endpoints of an upstream are spoken to in.
type Protocol string

// The protocols. One is spoken and no other: an endpoint that offers less than
// the policy says is broken, and is not quietly asked in another way.
const (
	// HTTP1 is HTTP/1.1, the default: it costs least, and alone can carry an
	// upgrade.
	HTTP1 Protocol = ""
	// HTTP2 is HTTP/2 over TLS, agreed by ALPN (RFC 9113 section 3.2), for https
	// endpoints. gRPC needs it.
	HTTP2 Protocol = "h2"
	// H2C is HTTP/2 without TLS and with prior knowledge (RFC 9113 section 3.3),
	// for http endpoints.
	H2C Protocol = "h2c"
)

const (
	// pingAfter is how long an HTTP/2 connection may be silent before it is asked
	// whether it still lives; every exchange there shares its fate.
	pingAfter = 15 * time.Second
	// pingWait is how long its answer may take.
	pingWait = 5 * time.Second
)

// multiplexed reports whether exchanges share a connection.
func (p Protocol) multiplexed() bool { return p != HTTP1 }

// check tells why a protocol cannot be spoken to an endpoint.
func (p Protocol) check(endpoint *url.URL) error {
	switch {
	case p != HTTP1 && p != HTTP2 && p != H2C:
		return fmt.Errorf("cannot be spoken to in %q; leave the protocol out, or write h2 or h2c", string(p))
	case p == HTTP2 && endpoint.Scheme != "https":
		return fmt.Errorf("is plain http, where nothing agrees on h2; write h2c, or https://%s", endpoint.Host)
	case p == H2C && endpoint.Scheme != "http":
		return fmt.Errorf("is https, where h2c means nothing; write h2, or http://%s", endpoint.Host)
	}
	return nil
}

// leave is done with an answer. Over HTTP/2 that waits for whoever sends the
// request body, and a client that has nothing more to say until it hears the end
// would never let it come: a service of gRPC may end a conversation at any time.
func (x *exchange) leave(res *http.Response) {
	if x.upload != nil && x.upstream.config.Protocol.multiplexed() {
		x.upload.interrupt(x.w)
	}
	_ = res.Body.Close()
}

// sending is an upload as one attempt over HTTP/2 sends it. When the endpoint
// ends the stream, the transport closes the body and waits until nobody reads it
// any more; without this it would wait for a client that has nothing to say, up
// to the route's timeout.
type sending struct {
	exchange *exchange
	ctx      context.Context // of the attempt
	inside   atomic.Bool     // a read is under way
	closed   atomic.Bool
}

func (s *sending) Read(p []byte) (int, error) {
	s.inside.Store(true) // before closed is looked at: Close does it the other way round
	defer s.inside.Store(false)
	if s.closed.Load() {
		return 0, errStopped
	}
	return s.exchange.upload.Read(p)
}

// Close ends a read that waits for the client, and with it the upload. One that
// nobody reads lives on for the next attempt.
func (s *sending) Close() error {
	s.closed.Store(true)
	// A client that has gone, and a bound that has come, end the read themselves.
	if s.inside.Load() && s.ctx.Err() == nil {
		s.exchange.upload.dropped.Store(true)
		s.exchange.upload.interrupt(s.exchange.w)
	}
	return nil
}

// pastOwnBound reports whether the time is over that a client of gRPC has given its
// call. A service ends the stream then, often before it hears that the client is
// gone: with short times a client could open the breakers of others otherwise. Of
// several any counts, and so does one with a sign: services read these as they like.
func (x *exchange) pastOwnBound() bool {
	if !x.upstream.config.Protocol.multiplexed() {
		return false
	}
	spent := time.Since(x.tx.Start)
	return slices.ContainsFunc(x.tx.Request.Header["Grpc-Timeout"], func(text string) bool {
		if len(text) < 2 || len(text) > 9 {
			return false
		}
		last := len(text) - 1
		n, err := strconv.ParseInt(text[:last], 10, 32)
		unit := map[byte]time.Duration{'n': 1, 'u': time.Microsecond, 'm': time.Millisecond, 'S': time.Second, 'M': time.Minute, 'H': time.Hour}[text[last]]
		// Eight digits of hours are no duration any more, and no bound either.
		return err == nil && unit > 0 && n < int64(time.Hour*24*365/unit) && spent >= time.Duration(max(n, 0))*unit
	})
}

// once reports whether the transport must be kept from sending a request again by
// itself. Over HTTP/2 it does so also after a stream that the endpoint has ended
// with PROTOCOL_ERROR (golang.org/issue/47635), when what was asked may be done
// already. It asks by the body: one that cannot be had again is sent once. The
// price is that a request which the endpoint never looked at, as it was shutting
// down, fails as well.
func (x *exchange) once() bool {
	return x.upstream.config.Protocol.multiplexed() && !safe(x.tx.Request.Method)
}

// nothingToSend is an empty body that the transport takes for one that it cannot
// have again.
type nothingToSend struct{}

func (nothingToSend) Read([]byte) (int, error) { return 0, io.EOF }
func (nothingToSend) Close() error             { return nil }

// speak has a transport speak p alone.
func (p Protocol) speak(t *http.Transport, config *tls.Config) {
	t.Protocols = new(http.Protocols)
	switch p {
	case HTTP2:
		config.NextProtos = []string{"h2"}
		t.Protocols.SetHTTP2(true)
	case H2C:
		t.Protocols.SetUnencryptedHTTP2(true)
	default:
		config.NextProtos = []string{"http/1.1"}
		t.Protocols.SetHTTP1(true)
	}
	if p.multiplexed() {
		t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWait}
	}
}
