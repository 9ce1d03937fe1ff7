package upstream

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"

	"golang.org/x/net/http/httpguts"

	"portcullis/gateway/internal/framing"
)

// direct sends requests that have no body to plain HTTP/1.1 endpoints from the
// goroutine that asks; most requests are of that kind. http.Transport has two
// goroutines for each connection, and an exchange passes between the three four
// times, each time with a thread to wake when the machine is not busy. That is
// worth its price where a request and its answer may be under way at once, and
// sends everything else: bodies, upgrades, TLS.
//
// Connections are under the same check as the transport's (framing.NewClient),
// and answers are read by the same http.ReadResponse.
type direct struct {
	transport *http.Transport
	lines     map[string]*line // by host and port
}

func newDirect(c Config) *direct {
	d := &direct{transport: newTransport(c), lines: map[string]*line{}}
	if c.Protocol.multiplexed() {
		return d
	}
	dialer := newDialer(c, nil)
	for _, raw := range c.Endpoints {
		if u, err := parseEndpoint(raw); err == nil && u.Scheme == "http" {
			d.lines[u.Host] = newLine(dialer, u)
		}
	}
	return d
}

// RoundTrip is as http.Transport's, its hooks included.
func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	l := d.lines[r.URL.Host]
	if l == nil || r.Body != nil || r.Header["Upgrade"] != nil {
		return d.transport.RoundTrip(r)
	}
	if err := sendable(r.Header); err != nil {
		return nil, err
	}
	ctx := r.Context()
	trace := httptrace.ContextClientTrace(ctx)
	if trace == nil {
		trace = &httptrace.ClientTrace{}
	}
	for {
		if trace.GetConn != nil {
			trace.GetConn(r.URL.Host)
		}
		w, err := l.take(ctx)
		if err != nil {
			return nil, ended(ctx, err)
		}
		if trace.GotConn != nil {
			trace.GotConn(httptrace.GotConnInfo{Conn: w.Conn, Reused: w.used})
		}
		res, again, err := w.ask(ctx, r, trace)
		if err == nil || !again || ctx.Err() != nil {
			return res, ended(ctx, err)
		}
	}
}

// closeIdle closes connections that no request uses.
func (d *direct) closeIdle() {
	d.transport.CloseIdleConnections()
	for _, l := range d.lines {
		l.closeIdle()
	}
}

// ended is why ctx has ended, if it has: what it did to a connection is only how.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// sendable refuses what would not be the fields that were meant on the wire.
func sendable(h http.Header) error {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("the request has a field named %q", name)
		}
		for _, v := range values {
			if !framing.SoundValue(v) {
				return fmt.Errorf("the request's field %q holds a control character", name) // and no value: it may be a secret
			}
		}
	}
	return nil
}
