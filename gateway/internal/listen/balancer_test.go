package listen_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/chassis"
)

const header = "PROXY TCP4 203.0.113.%d 10.0.0.1 256 443\r\n"

func TestTheClientIsWhoTheBalancerSays(t *testing.T) {
	t.Parallel()
	p := open(t, setup{snapshot: balancers("127.0.0.9/32")})
	for name, c := range map[string]struct{ header, want string }{
		"version 1":    {fmt.Sprintf(header, 7), "203.0.113.7:256 HTTP/1.1"},
		"version 2":    {"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x08\x0a\x00\x00\x01\x01\x00\x01\xbb", "203.0.113.8:256 HTTP/1.1"},
		"health check": {"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "127.0.0.9:"},
	} {
		conn := p.dial(9)
		_, err := io.WriteString(conn, c.header)
		check(t, err)
		if got, err := get(conn, p.client()); err != nil || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: the server saw %q (%v), want %s", name, got, err, c.want)
		}
	}
}

// TestAHeaderOfAnybodyElseIsABrokenHandshake: or any client would be whom it
// likes.
func TestAHeaderOfAnybodyElseIsABrokenHandshake(t *testing.T) {
	t.Parallel()
	p := open(t, setup{snapshot: balancers("127.0.0.9/32")})
	conn := p.dial(8)
	_, err := fmt.Fprintf(conn, header, 7)
	check(t, err)
	if got, err := get(conn, p.client()); err == nil {
		t.Errorf("the server answered %q", got)
	}
	until(t, "the failure is counted", func() bool { return p.count("portcullis_connections_total", "handshake_failed") == 1 })
}

// TestABalancerHasToSayWhoItSpeaksFor: without a header the client would be the
// balancer, whom rules may let in.
func TestABalancerHasToSayWhoItSpeaksFor(t *testing.T) {
	t.Parallel()
	p := open(t, setup{snapshot: balancers("127.0.0.9/32")})
	if got, err := get(p.dial(9), p.client()); err == nil {
		t.Errorf("the server answered %q", got)
	}
	until(t, "it is told why", func() bool {
		why := p.acceptor.Status().RefusedProxyHeader
		return why != nil && strings.HasPrefix(why.Peer, "127.0.0.9:") && strings.Contains(why.Why, "does not begin with a PROXY header")
	})
	p.current.Store(&pipeline.Snapshot{}) // an edit: it is no balancer any more
	if got, err := get(p.dial(9), p.client()); err != nil || !strings.HasPrefix(got, "127.0.0.9:") {
		t.Errorf("after the edit the server saw %q, %v", got, err)
	}
}

// TestOneClientOfABalancerHasOneShare: what is bounded for each source counts the
// clients, and never the balancer, which stands for all of them.
func TestOneClientOfABalancerHasOneShare(t *testing.T) {
	t.Parallel()
	const each = 3
	p := open(t, setup{snapshot: balancers("127.0.0.9/32"), limits: chassis.Limits{ConnectionsPerSource: each}})
	shake := func(client int) (net.Conn, error) {
		conn := p.dial(9)
		_, err := fmt.Fprintf(conn, header, client)
		check(t, err)
		secure := tls.Client(conn, p.client())
		return secure, secure.Handshake()
	}
	var held []net.Conn
	for range each {
		conn, err := shake(7)
		check(t, err)
		held = append(held, conn)
	}
	if _, err := shake(7); err == nil {
		t.Error("one client has more connections than its share")
	}
	for client := 8; client < 8+2*each; client++ {
		if _, err := shake(client); err != nil {
			t.Fatalf("another client is locked out: %v", err)
		}
	}
	check(t, held[0].Close())
	until(t, "what a client let go of, it may have again", func() bool {
		_, err := shake(7)
		return err == nil
	})
}
