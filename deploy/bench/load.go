package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// connections is how many requests are under way at once: with HTTP/1.1 each
// on a connection of its own, with HTTP/2 all on one.
const connections = 16

// host is the name in every request. The Core Rule Set finds fault with an
// address in its place (rule 920350), as no client sends one: nothing would be
// proved clean.
const host = "api.hotel.test"

// load asks for one thing over and over.
type load struct {
	client *http.Client
	header http.Header
	method string
	url    string
	body   []byte
	// connections is how many requests are under way at once.
	connections int
	// unlike says that each request has a value of its own, which nobody has seen
	// before: in its query, or in its body where NUMBER stands.
	unlike bool
	made   atomic.Int64
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

// another is the address and the body of a request that is unlike all before.
func (l *load) another() (string, []byte) {
	number := strconv.FormatInt(1_000_000+l.made.Add(1), 10)
	if len(l.body) > 0 {
		return l.url, bytes.ReplaceAll(l.body, []byte("NUMBER"), []byte(number))
	}
	return l.url + "?page=" + number, nil
}

func (l *load) one(ctx context.Context) error {
	url, body := l.url, l.body
	if l.unlike {
		url, body = l.another()
	}
	req, err := http.NewRequestWithContext(ctx, l.method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Host, req.Header = host, l.header // the transport only reads the header
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
