package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"time"

	"portcullis/authserver/token"
)

// perRoundCheck is large: a check takes less than a microsecond.
const perRoundCheck = 200_000

// checking asks a verifier about one token over and over, as a service does.
type checking struct {
	verifier *token.Verifier
	raw      string
}

func (c checking) send(ctx context.Context, n int) error {
	for range n {
		if _, err := c.verifier.Verify(ctx, c.raw, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// hashing is the digest of the same token alone.
type hashing struct{ raw []byte }

func (h hashing) send(_ context.Context, n int) error {
	var last [sha256.Size]byte
	for range n {
		last = sha256.Sum256(h.raw)
	}
	runtime.KeepAlive(last)
	return nil
}

// newChecking returns a verifier that knows the bearer of the load and follows
// revocations until ctx ends.
func (s *system) newChecking(ctx context.Context) (checking, error) {
	secret, err := s.secret(s.auth, "service")
	if err != nil {
		return checking{}, err
	}
	verifier, err := newVerifier(ctx, s.auth.url(), secret, &http.Client{Transport: &http.Transport{TLSClientConfig: s.trust.Clone()}})
	if err != nil {
		return checking{}, err
	}
	_, err = verifier.Verify(ctx, s.bearer, time.Now()) // the keys have to come, and the first list
	return checking{verifier, s.bearer}, err
}

func (s *system) checkRows(c checking) []*row {
	base := &row{name: "SHA-256 of the token alone", load: hashing{[]byte(c.raw)}, pid: os.Getpid(), n: perRoundCheck}
	return []*row{base, {name: "token.Verifier, a token it knows", load: c, base: base, pid: os.Getpid(), n: perRoundCheck}}
}

// allocations of one check.
func (c checking) allocations(ctx context.Context) (float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := c.send(ctx, perRoundCheck)
	runtime.ReadMemStats(&after)
	// Whole ones, as `go test -bench` counts: the process has other goroutines.
	return float64((after.Mallocs - before.Mallocs) / perRoundCheck), err
}

func reportChecks(w io.Writer, rows []*row, allocations float64) error {
	out := fmt.Sprintf("\nVerifier: own CPU in ns a check of a token of %d bytes: median of %d rounds (least-most), ratio to its digest alone.\n\n",
		len(rows[0].load.(hashing).raw), rounds)
	for _, r := range rows {
		out += fmt.Sprintf("%-46s %7.0f  (%.0f-%.0f)", r.name, 1e3*median(r.took), 1e3*slices.Min(r.took), 1e3*slices.Max(r.took))
		if r.base != nil {
			out += fmt.Sprintf("  %5.2fx  %.0f allocations (goal 3000 ns, none)", r.ratio(), allocations)
		}
		out += "\n"
	}
	_, err := io.WriteString(w, out)
	return err
}
