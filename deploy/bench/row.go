package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

const (
	// rounds is odd, so that the median is one that was measured.
	rounds = 9
	// perRound is how many requests a row gets in each round; dear ones get
	// fewer, so that the whole takes about a minute.
	perRound     = 4000
	perRoundDear = 400
	// goal is what the full pipeline without WAF may cost, in ReverseProxies.
	goal = 1.3
)

// work is what a row does over and over, or makes a process do.
type work interface {
	send(ctx context.Context, n int) error
}

// preparer is work that needs something for each time, which is not counted.
type preparer interface {
	ahead(ctx context.Context, n int) error
}

// row is one thing measured.
type row struct {
	name string
	load work
	pid  int
	n    int
	// base is what the row is compared with: the ReverseProxy under the same load,
	// or the signature alone; nil if the row is one. before is the row with one
	// part less.
	base, before *row
	// headline marks the row that the goal is about.
	headline bool
	took     []float64 // us a request, by round
}

// rows are measured one after the other, round after round: what disturbs the
// machine disturbs them all.
func (s *system) rows() []*row {
	var all []*row
	proxy := func(version int, method string) *row {
		r := &row{name: fmt.Sprintf("HTTP/%d %-4s httputil.ReverseProxy", version, method), load: s.newLoad(version, method, s.proxy, "/full"), pid: s.proxyPID, n: perRound}
		all = append(all, r)
		return r
	}
	gate := func(base, before *row, n, version int, method, path, name string) *row {
		r := &row{name: "            " + name, load: s.newLoad(version, method, s.gate, path), pid: s.gatePID, n: n, base: base, before: before}
		all = append(all, r)
		return r
	}
	base := proxy(1, "GET")
	r := gate(base, base, perRound, 1, "GET", "/forward", "gateway: edge, capacity, forward")
	r = gate(base, r, perRound, 1, "GET", "/source", "+ limit by source")
	r = gate(base, r, perRound, 1, "GET", "/authenticate", "+ authenticate")
	r = gate(base, r, perRound, 1, "GET", "/authorize", "+ authorize")
	r = gate(base, r, perRound, 1, "GET", "/principal", "+ limit by principal")
	r = gate(base, r, perRound, 1, "GET", "/full", "+ own token: full without WAF")
	r.headline = true
	gate(base, r, perRound, 1, "GET", "/exchanged", "the same, with the caller's token exchanged")
	gate(base, r, perRoundDear, 1, "GET", "/waf", "+ WAF")
	base = proxy(1, "POST")
	r = gate(base, base, perRound, 1, "POST", "/full", "gateway: full without WAF")
	gate(base, r, perRoundDear, 1, "POST", "/waf", "+ WAF")
	base = proxy(2, "GET")
	r = gate(base, base, perRound, 2, "GET", "/full", "gateway: full without WAF")
	gate(base, r, perRoundDear, 2, "GET", "/waf", "+ WAF")
	return all
}

// measure fills the rows, after a warm-up, and says how far it is.
func measure(ctx context.Context, what string, rows []*row, progress io.Writer) error {
	return measureTimes(ctx, rounds, what, rows, progress)
}

func measureTimes(ctx context.Context, rounds int, what string, rows []*row, progress io.Writer) error {
	fmt.Fprintf(progress, "%s: warming up\n", what)
	for _, r := range rows {
		if _, err := r.once(ctx, r.n/2); err != nil {
			return err
		}
	}
	for round := range rounds {
		fmt.Fprintf(progress, "%s: round %d of %d\n", what, round+1, rounds)
		for i := range rows {
			r := rows[i]
			if round%2 == 1 {
				r = rows[len(rows)-1-i] // nobody always comes after the same neighbour
			}
			took, err := r.once(ctx, r.n)
			if err != nil {
				return err
			}
			r.took = append(r.took, took)
		}
	}
	return nil
}

// once does the row's work n times and returns the CPU time of each, in us.
func (r *row) once(ctx context.Context, n int) (float64, error) {
	if p, ok := r.load.(preparer); ok {
		if err := p.ahead(ctx, n); err != nil {
			return 0, err
		}
	}
	before, err := cpu(r.pid)
	if err != nil {
		return 0, err
	}
	if err := r.load.send(ctx, n); err != nil {
		return 0, err
	}
	after, err := cpu(r.pid)
	return float64(after-before) / float64(time.Microsecond) / float64(n), err
}

// ratio is how many times its base the row costs: the median over the rounds,
// each compared within itself.
func (r *row) ratio() float64 {
	each := make([]float64, len(r.took))
	for i := range each {
		each[i] = r.took[i] / r.base.took[i]
	}
	return median(each)
}

func report(w io.Writer, rows []*row) error {
	out := fmt.Sprintf("Own CPU in us a request: median of %d rounds (least-most), difference to the row before, ratio to ReverseProxy.\n"+
		"TLS 1.3 ECDSA P-256, kept connections, %d requests at once, 1 KiB answers, 1 KiB JSON where POST.\n\n", rounds, connections)
	last := ""
	for _, r := range rows {
		out += fmt.Sprintf("%-56s %7.1f  (%.1f-%.1f)", r.name, median(r.took), slices.Min(r.took), slices.Max(r.took))
		if r.base != nil {
			out += fmt.Sprintf("  %+7.1f  %5.2fx", median(r.took)-median(r.before.took), r.ratio())
		}
		out += "\n"
		if r.headline {
			last = fmt.Sprintf("\nfull pipeline without WAF: %.2f times a bare ReverseProxy (goal %.1f)\n", r.ratio(), goal)
		}
	}
	_, err := io.WriteString(w, out+last)
	return err
}

func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
