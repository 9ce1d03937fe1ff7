package upstream

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
)

// canned is an HTTP/1.1 server on raw connections that does as little as it
// can, so that what is measured is what forwards.
func canned(b testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Length: 1024\r\n\r\n{" + strings.Repeat(" ", 1022) + "}")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				in := bufio.NewReader(c)
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(line) == 2 {
						if _, err := c.Write(answer); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// contenders are ours, with a token of the gateway's own and with the caller's
// exchanged, and the standard library's, over the same transport settings.
func contenders(b testing.TB) map[string]http.Handler {
	addr := canned(b)
	c := Config{Name: "rooms", Endpoints: []string{"http://" + addr}, Log: slog.New(slog.DiscardHandler)}
	route := &pipeline.Route{Timeout: 3 * time.Second}
	principal := &token.Principal{Subject: "g-7", Client: "demo"}
	source := netip.MustParseAddr("192.0.2.7")
	txs := sync.Pool{New: func() any { return new(pipeline.Transaction) }}
	ours := func(credential Credential) http.HandlerFunc {
		c := c
		c.Credential = credential
		up, err := New(c)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { up.Retire(nil) })
		forward := up.Forwarder(RouteOptions{})
		return func(w http.ResponseWriter, r *http.Request) {
			tx := txs.Get().(*pipeline.Transaction)
			tx.Reset()
			tx.Request, tx.Route, tx.ID, tx.Path, tx.Source, tx.Principal, tx.Bearer = r, route, "0123456789abcdef0123456789abcdef", r.URL.Path, source, principal, "edge"
			if result, err := forward.Forward(w, tx); err != nil || result.Broken != nil {
				panic(http.ErrAbortHandler)
			}
			txs.Put(tx)
		}
	}
	target := &url.URL{Scheme: "http", Host: addr}
	return map[string]http.Handler{
		"forward":  ours(fixed(strings.Repeat("t", 670))),
		"exchange": ours(exchanged(strings.Repeat("t", 670))),
		"reverseproxy": &httputil.ReverseProxy{Transport: newTransport(c.withDefaults()), BufferPool: &pool{}, Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		}},
	}
}

// exchanged is a token that was exchanged before.
type exchanged string

func (e exchanged) Token(context.Context, string) (string, error) { return string(e), nil }
func (exchanged) Forget(string)                                   {}

type pool struct{ sync.Pool }

func (p *pool) Get() []byte {
	if b, ok := p.Pool.Get().(*[bufferSize]byte); ok {
		return b[:]
	}
	return make([]byte, bufferSize)
}
func (p *pool) Put(b []byte) { p.Pool.Put((*[bufferSize]byte)(b)) }

const tenFields = "GET /v1/hotels?city=Helsinki HTTP/1.1\r\nHost: api.test\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\nAccept-Encoding: gzip, br\r\n" +
	"Accept-Language: en, fi;q=0.8\r\nCache-Control: no-cache\r\nCookie: a=b; c=d\r\nOrigin: https://api.test\r\nReferer: https://api.test/\r\nX-Client-Version: 12\r\nAuthorization: Bearer %s\r\n\r\n"

// exchanges sends n requests over one kept connection.
func exchanges(b testing.TB, addr string, n int) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReaderSize(c, 8<<10)
	request := []byte(fmt.Sprintf(tenFields, strings.Repeat("e", 670)))
	for range n {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := io.CopyN(io.Discard, in, 1024); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkForward measures the CPU of the whole process, client and backend
// included, for all contenders in turn; what they share weakens the ratio and
// never turns it. Rounds alternate, so that a busy neighbour hits both.
func BenchmarkForward(b *testing.B) {
	const rounds, perRound = 25, 1000
	all := contenders(b)
	addr := map[string]string{}
	for name, h := range all {
		s := httptest.NewUnstartedServer(h)
		s.Config.ReadHeaderTimeout, s.Config.IdleTimeout = 5*time.Second, time.Minute // as the edge has them
		s.Start()
		b.Cleanup(s.Close)
		addr[name] = s.Listener.Addr().String()
		exchanges(b, addr[name], perRound)
	}
	cost := map[string][]float64{}
	var ratios []float64
	for b.Loop() {
		for round := range rounds {
			order := []string{"forward", "exchange", "reverseproxy"}
			if round%2 == 1 {
				slices.Reverse(order)
			}
			for _, name := range order {
				before := cpu(b)
				exchanges(b, addr[name], perRound)
				cost[name] = append(cost[name], float64((cpu(b)-before).Microseconds())/perRound)
			}
			last := len(cost["forward"]) - 1
			ratios = append(ratios, cost["forward"][last]/cost["reverseproxy"][last])
		}
	}
	allocs := map[string]float64{}
	for name := range all {
		allocs[name] = testing.AllocsPerRun(1, func() { exchanges(b, addr[name], perRound) }) / perRound
	}
	b.ReportMetric(median(cost["forward"]), "us/forward")
	b.ReportMetric(median(cost["exchange"]), "us/exchange")
	b.ReportMetric(median(cost["reverseproxy"]), "us/reverseproxy")
	b.ReportMetric(median(ratios), "cpu-ratio")
	b.ReportMetric(allocs["forward"], "allocs/forward")
	b.ReportMetric(allocs["exchange"], "allocs/exchange")
	b.ReportMetric(allocs["reverseproxy"], "allocs/reverseproxy")
}

func median(v []float64) float64 {
	sort.Float64s(v)
	return v[len(v)/2]
}

func cpu(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
