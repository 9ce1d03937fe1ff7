package main

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"time"

	"portcullis/certs"
)

// answerBytes is the size of every answer.
const answerBytes = 1 << 10

// serveBackend answers everything with one KiB of JSON; its argument is the
// address to listen on.
func serveBackend(args []string) error {
	if len(args) != 1 {
		return errors.New("the backend takes an address")
	}
	body := append(append([]byte(`{"hotels":"`), bytes.Repeat([]byte("h"), answerBytes-13)...), `"}`...)
	length := strconv.Itoa(len(body))
	server := &http.Server{Addr: args[0], ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", length)
		_, _ = w.Write(body) // the load generator notices what is missing
	})}
	return server.ListenAndServe()
}

// serveProxy is what the gateway is compared with; its arguments are address,
// backend, certificate and key. The transport is set like the gateway's.
func serveProxy(args []string) error {
	if len(args) != 4 {
		return errors.New("the proxy takes address, backend, certificate and key")
	}
	target, err := url.Parse(args[1])
	if err != nil {
		return err
	}
	identity, err := certs.NewServer(certs.ServerConfig{Files: certs.Files{Cert: args[2], Key: args[3]}})
	if err != nil {
		return err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: time.Second, KeepAlive: 30 * time.Second}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
		BufferPool: &buffers{},
		Transport: &http.Transport{
			DialContext: dialer.DialContext, Protocols: protocols, MaxConnsPerHost: 1024, MaxIdleConnsPerHost: 256,
			IdleConnTimeout: 20 * time.Second, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		},
	}
	server := &http.Server{
		Addr: args[0], Handler: proxy, TLSConfig: identity.Server("h2", "http/1.1"),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
	}
	return server.ListenAndServeTLS("", "")
}

// buffers is a pool as ReverseProxy wants it.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if kept, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return kept[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[bufferSize]byte)(p)) }
