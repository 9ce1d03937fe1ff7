package upstream

import (
	"crypto/tls"
	"net"
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

// newTransport speaks HTTP/1.1 only: HTTP/2 towards upstreams costs more CPU
// than it saves, and cannot carry an upgrade.
func newTransport(c Config) *http.Transport {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		config = c.TLS.Clone()
	}
	config.NextProtos = []string{"http/1.1"}
	if config.ClientSessionCache == nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(maxIdle)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: c.Connect, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  nil, // an environment variable must not redirect what is inside
		DialContext:            dialer.DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    c.Connect,
		Protocols:              protocols,
		MaxConnsPerHost:        maxConnections,
		MaxIdleConns:           0, // bounded by endpoints times MaxIdleConnsPerHost
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxResponseHead,
		DisableCompression:     true, // bodies pass as they are
		ExpectContinueTimeout:  0,    // upload waits itself, and knows what for
	}
}
