package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"portcullis/gateway/internal/framing"
)

// dialer opens connections on which http.Transport sees only answers that can be
// read in one way; see framing.NewClient.
type dialer struct {
	net     net.Dialer
	config  *tls.Config
	connect time.Duration // bounds a handshake too
}

func newDialer(c Config, config *tls.Config) *dialer {
	return &dialer{net: net.Dialer{Timeout: c.Connect, KeepAlive: 30 * time.Second}, config: config, connect: c.Connect}
}

func (d *dialer) plain(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return framing.NewClient(conn), nil
}

// encrypted shakes hands itself: the check stands above TLS, and http.Transport
// would put TLS above whatever a plain dial returns.
func (d *dialer) encrypted(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	raw, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	config := d.config
	if config.ServerName == "" {
		config = config.Clone() // shares the cache of sessions
		config.ServerName = host
	}
	conn := tls.Client(raw, config)
	ctx, cancel := context.WithTimeout(ctx, d.connect)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // no goodbye: a peer that does not read would hold us
		return nil, err
	}
	if p := conn.ConnectionState().NegotiatedProtocol; p != "" && p != "http/1.1" {
		_ = conn.Close()
		return nil, fmt.Errorf("the endpoint %s chose to speak %q, which was not offered", addr, p)
	}
	return framing.NewClient(conn), nil
}
