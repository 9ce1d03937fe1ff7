package upstream

import (
	"crypto/tls"
	"net/http"
	"time"
)

const (
	// bufferSize is what one response is copied with.
	bufferSize = 32 << 10
	// maxConnections bounds the open connections to one endpoint. A request
	// beyond it waits within its own timeout.
	maxConnections = 1024
	// maxIdle bounds the kept connections to one endpoint.
	maxIdle = 256
	// idleTimeout is below the keep-alive of common servers (Node has 5s, but
	// Go, Java and nginx 60s and more): the side that closes first never loses a
	// request to the other's closing.
	idleTimeout = 20 * time.Second
	// maxResponseHead bounds the head of an answer in bytes.
	maxResponseHead = 64 << 10
)

// newTransport speaks the protocol of the upstream alone.
func newTransport(c Config) *http.Transport {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		config = c.TLS.Clone()
	}
	if config.ClientSessionCache == nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(maxIdle)
	}
	t := &http.Transport{
		Proxy:                  nil, // an environment variable must not redirect what is inside
		MaxConnsPerHost:        maxConnections,
		MaxIdleConns:           0, // bounded by endpoints times MaxIdleConnsPerHost
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxResponseHead,
		DisableCompression:     true, // bodies pass as they are
		ExpectContinueTimeout:  0,    // upload waits itself, and knows what for
	}
	c.Protocol.speak(t, config)
	dialer := newDialer(c, config)
	if c.Protocol.multiplexed() {
		// HTTP/2 frames its messages: there is nothing to check below it.
		t.DialContext, t.TLSClientConfig, t.TLSHandshakeTimeout = dialer.net.DialContext, config, c.Connect
	} else {
		t.DialContext, t.DialTLSContext = dialer.plain, dialer.encrypted
	}
	return t
}
