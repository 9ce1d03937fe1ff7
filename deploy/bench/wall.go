package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Goals of the gateway with every check on: so many times cheaper than nginx with
// ModSecurity, on a GET, and at most so many times a bare ReverseProxy.
const goalModsecurity, goalWall = 20, 1.5

// wallRounds are odd, so that the median is one that was measured.
const wallRounds, perWall, perWallDear = 9, 2000, 150

// walled measures the gateway with every check on beside a bare ReverseProxy and
// nginx with ModSecurity and the same rules. No two requests are alike.
func (s *system) walled(ctx context.Context) error {
	nginx, err := s.modsecurity(ctx)
	if err != nil {
		return err
	}
	proxy := peer{"httputil.ReverseProxy, checks nothing", s.proxy, s.proxyPID}
	gate := peer{"gateway, every check", s.gate, s.gatePID}
	inspecting := []peer{gate}
	if nginx != nil {
		inspecting = append(inspecting, *nginx)
	}
	for _, p := range inspecting {
		if err := s.attack(ctx, p); err != nil {
			return err
		}
	}
	var rows []*row
	for _, method := range []string{"GET", "POST"} {
		base := s.wallRow(proxy, method, perWall, nil)
		rows = append(rows, base, s.wallRow(gate, method, perWall, base))
		if nginx != nil {
			rows = append(rows, s.wallRow(*nginx, method, perWallDear, base))
		}
	}
	if err := measureTimes(ctx, wallRounds, "waf", rows, os.Stderr); err != nil {
		return err
	}
	return reportWall(os.Stdout, rows)
}

func (s *system) wallRow(p peer, method string, n int, base *row) *row {
	l := s.newLoad(1, method, p.addr, "/waf")
	l.unlike = true
	if method == http.MethodPost {
		l.body = booking()
	}
	return &row{name: fmt.Sprintf("%-4s %s", method, p.name), load: l, pid: p.pid, n: n, base: base, before: base}
}

// booking is about one KiB of JSON with 45 leaves.
func booking() []byte {
	var b strings.Builder
	b.WriteString(`{"guest":{"id":NUMBER,"name":"Maija Virtanen","email":"maija@example.com"},"note":"late arrival, thanks","rooms":[`)
	for i := range 10 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"room":"R-%05d","nights":%d,"price":%d.99,"title":"Double room NUMBER no %d"}`, i, i%7+1, i*3+80, i)
	}
	return []byte(b.String() + `]}`)
}

// attack shows that a peer inspects: it refuses an injection in a query and one
// in a body, and nothing else. What inspects nothing costs nothing.
func (s *system) attack(ctx context.Context, p peer) error {
	for _, a := range []struct {
		method, query string
		body          []byte
		want          int
	}{
		{"GET", "?page=1", nil, http.StatusOK},
		{"GET", "?page=" + url.QueryEscape("1' UNION SELECT name, password FROM users-- -"), nil, http.StatusForbidden},
		{"POST", "", booking(), http.StatusOK},
		{"POST", "", bytes.Replace(booking(), []byte("late arrival"), []byte("<script>alert(1)</script>"), 1), http.StatusForbidden},
	} {
		l := s.newLoad(1, a.method, p.addr, "/waf"+a.query)
		req, err := http.NewRequestWithContext(ctx, a.method, l.url, bytes.NewReader(bytes.ReplaceAll(a.body, []byte("NUMBER"), []byte("7"))))
		if err != nil {
			return err
		}
		req.Host, req.Header = host, l.header
		res, err := l.client.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close() // read to its end
		if err != nil {
			return err
		}
		if res.StatusCode != a.want {
			return fmt.Errorf("%s answers %d to %s /waf%s %s; it should answer %d", p.name, res.StatusCode, a.method, a.query, a.body, a.want)
		}
	}
	return nil
}

func reportWall(w io.Writer, rows []*row) error {
	out := fmt.Sprintf("\nEvery check on: own CPU in us a request: median of %d rounds (least-most), ratio to ReverseProxy.\n"+
		"HTTP/1.1 over TLS 1.3, %d kept connections, 12 header fields, 1 KiB answers; JSON of 1 KiB with 45 leaves where POST; no two requests alike.\n\n",
		wallRounds, connections)
	last := ""
	var gate *row
	for _, r := range rows {
		out += fmt.Sprintf("%-46s %7.1f  (%.1f-%.1f)", r.name, median(r.took), slices.Min(r.took), slices.Max(r.took))
		switch {
		case r.base == nil:
		case strings.Contains(r.name, "gateway"):
			gate = r
			last += fmt.Sprintf("%s: %.2f times a bare ReverseProxy (goal %.1f on a GET)\n", r.name, r.ratio(), goalWall)
			out += fmt.Sprintf("  %5.2fx", r.ratio())
		default:
			against := *r
			against.base = gate
			last += fmt.Sprintf("%s: %.1f times the gateway (goal %d on a GET)\n", r.name, against.ratio(), goalModsecurity)
			out += fmt.Sprintf("  %5.2fx", r.ratio())
		}
		out += "\n"
	}
	_, err := io.WriteString(w, out+"\n"+last)
	return err
}
