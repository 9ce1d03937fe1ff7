package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// connections is how many requests are under way at once: with HTTP/1.1 each
// on a connection of its own, with HTTP/2 all on one.
const connections = 16

// load asks for one thing over and over.
type load struct {
	client *http.Client
	header http.Header
	method string
	url    string
	body   []byte
	// connections is how many requests are under way at once.
	connections int
}

// newLoad returns a load of usual requests; version is 1 or 2.
func (s *system) newLoad(version int, method, addr, path string) *load {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == 1)
	protocols.SetHTTP2(version == 2)
	config := s.trust.Clone()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(connections)
	l := &load{
		client: &http.Client{Transport: &http.Transport{
			TLSClientConfig: config, Protocols: protocols, MaxIdleConnsPerHost: forwardConnections, MaxConnsPerHost: forwardConnections, DisableCompression: true,
		}},
		method: method, url: "https://" + addr + path, header: http.Header{}, connections: connections,
	}
	for name, value := range map[string]string{
		"Accept": "application/json", "Accept-Encoding": "gzip, deflate, br", "Accept-Language": "en-GB,en;q=0.8,fi;q=0.6",
		"Authorization": "Bearer " + s.bearer, "Cache-Control": "no-cache", "Cookie": "session=5f2c8d1e7a; theme=dark; consent=1",
		"Origin": "https://www.hotel.test", "Referer": "https://www.hotel.test/search", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-site",
		"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	} {
		l.header.Set(name, value)
	}
	if method == http.MethodPost {
		l.header.Set("Content-Type", "application/json")
		const head, tail = `{"hotel":"h-7","from":"2027-01-10","to":"2027-01-12","guests":2,"note":"`, `"}`
		l.body = []byte(head + strings.Repeat("a quiet room ", 100)[:1024-len(head)-len(tail)] + tail)
	}
	return l
}

// send makes n requests. Anything but the backend's whole answer is an error:
// what is refused costs nothing.
func (l *load) send(ctx context.Context, n int) error {
	return spreadOver(ctx, l.connections, n, func(ctx context.Context, _ int) error { return l.one(ctx) })
}

// spread calls one for each number below n, on all connections at once, until
// it fails.
func spread(ctx context.Context, n int, one func(ctx context.Context, i int) error) error {
	return spreadOver(ctx, connections, n, one)
}

func spreadOver(ctx context.Context, connections, n int, one func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for w := range connections {
		workers.Go(func() {
			for i := w; i < n && ctx.Err() == nil; i += connections {
				if err := one(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

func (l *load) one(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, l.method, l.url, bytes.NewReader(l.body))
	if err != nil {
		return err
	}
	req.Header = l.header // the transport only reads it
	res, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	got, err := io.Copy(io.Discard, res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || got != answerBytes {
		return fmt.Errorf("%s %s: status %d and %d bytes; every answer should be 200 with %d", l.method, l.url, res.StatusCode, got, answerBytes)
	}
	return nil
}
