package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
)

// forwardConnections is how many requests are under way at once in this part.
const forwardConnections = 32

// forwardRounds are many and short: what a neighbour does to one of them then
// says little, and the goal leaves no room for it.
const forwardRounds, perForward = 41, 800

// goalForward is what a plain forward may cost, in bare ReverseProxies.
const goalForward = 1.0

// forwarded measures what it costs to send a request on, beside a ReverseProxy
// as everybody runs it, one with the gateway's setting of the garbage
// collector, and the proxies of others that are installed here.
func (s *system) forwarded(ctx context.Context) error {
	peers, err := s.peers(ctx)
	if err != nil {
		return err
	}
	tuned, err := s.spawnProxy(ctx, "GOGC=400")
	if err != nil {
		return err
	}
	base := &row{name: "httputil.ReverseProxy", load: s.newForward(s.proxy, "/full"), pid: s.proxyPID, n: perForward}
	against := func(name, addr, path string, pid int) *row {
		return &row{name: name, load: s.newForward(addr, path), pid: pid, n: perForward, base: base, before: base}
	}
	plain := against("gateway: plain forward", s.gate, "/forward", s.gatePID)
	rows := []*row{
		base, against("httputil.ReverseProxy, GOGC=400", tuned.addr, "/full", tuned.pid),
		plain, against("gateway: forward with bearer and limits", s.gate, "/principal", s.gatePID),
	}
	for _, p := range peers {
		rows = append(rows, against(p.name+", one worker", p.addr, "/full", p.pid))
	}
	if err := measureTimes(ctx, forwardRounds, "forward", rows, os.Stderr); err != nil {
		return err
	}
	return reportForward(os.Stdout, rows, plain)
}

func (s *system) newForward(addr, path string) *load {
	l := s.newLoad(1, "GET", addr, path)
	l.connections = forwardConnections
	return l
}

func reportForward(w io.Writer, rows []*row, plain *row) error {
	out := fmt.Sprintf("\nForward: own CPU in us a request: median of %d rounds (least-most), ratio to ReverseProxy.\n"+
		"HTTP/1.1 over TLS 1.3, %d kept connections, 1 KiB answers.\n\n", forwardRounds, forwardConnections)
	for _, r := range rows {
		out += fmt.Sprintf("%-46s %7.1f  (%.1f-%.1f)", r.name, median(r.took), slices.Min(r.took), slices.Max(r.took))
		if r.base != nil {
			out += fmt.Sprintf("  %5.2fx", r.ratio())
		}
		out += "\n"
	}
	_, err := fmt.Fprintf(w, "%s\nplain forward: %.2f times a bare ReverseProxy (goal %.1f)\n", out, plain.ratio(), goalForward)
	return err
}
