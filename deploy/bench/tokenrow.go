package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"slices"
)

const (
	perRoundToken = 1500
	perRoundRSA   = 300
)

// tokenRow is a row of the token service, with its goal.
type tokenRow struct {
	*row
	// goal is the least tokens a second on one core; ceiling the least part of
	// what the signature alone would allow. Zero is none.
	goal, ceiling float64
}

// signing is the signature alone, in this process: no token costs less.
type signing struct{ key crypto.Signer }

func (s signing) send(_ context.Context, n int) error {
	digest := sha256.Sum256([]byte("a signing input"))
	for range n {
		if _, err := s.key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			return err
		}
	}
	return nil
}

// tokenRows are measured as the gateway's are.
func (s *system) tokenRows() ([]tokenRow, error) {
	es256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	rs256, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	bench, err := s.secret(s.es256, "bench")
	if err != nil {
		return nil, err
	}
	gateway, err := s.secret(s.es256, "gateway")
	if err != nil {
		return nil, err
	}
	benchRSA, err := s.secret(s.rs256, "bench")
	if err != nil {
		return nil, err
	}
	ec, rs := s.newAsker(s.es256, nil), s.newAsker(s.rs256, nil)
	own := &tokenLoad{ec, basic("bench", bench), ownToken("gateway")}
	base := &row{name: "crypto/ecdsa: P-256 signature alone", load: signing{es256}, pid: os.Getpid(), n: perRoundToken}
	rows := []tokenRow{
		{row: base},
		{row: &row{name: "ES256 client_credentials, client_secret_basic", load: own, base: base, pid: s.es256.pid, n: perRoundToken}, goal: 5000},
		{row: &row{name: "ES256 client_credentials, private_key_jwt", load: &assertionLoad{asker: ec, key: s.clientKey}, base: base, pid: s.es256.pid, n: perRoundToken}, goal: 2500},
		{row: &row{name: "ES256 token exchange, each subject once", load: &exchangeLoad{asker: ec, authorization: basic("gateway", gateway), callers: own}, base: base, pid: s.es256.pid, n: perRoundToken}, goal: 2500},
	}
	base = &row{name: "crypto/rsa: 2048-bit signature alone", load: signing{rs256}, pid: os.Getpid(), n: perRoundRSA}
	return append(rows, tokenRow{row: base}, tokenRow{
		row:     &row{name: "RS256 client_credentials, client_secret_basic", load: &tokenLoad{rs, basic("bench", benchRSA), ownToken("gateway")}, base: base, pid: s.rs256.pid, n: perRoundRSA},
		ceiling: 0.7,
	}), nil
}

func plain(rows []tokenRow) []*row {
	all := make([]*row, len(rows))
	for i, r := range rows {
		all[i] = r.row
	}
	return all
}

func reportTokens(w io.Writer, rows []tokenRow) error {
	out := fmt.Sprintf("\nToken service: own CPU in us a token: median of %d rounds (least-most), tokens a second on one core, ratio to the signature alone.\n"+
		"TLS 1.3 ECDSA P-256, kept HTTP/1.1 connections, %d requests at once, audit and assertions on the disk before the answer.\n\n", rounds, connections)
	for _, r := range rows {
		out += fmt.Sprintf("%-46s %7.1f  (%.1f-%.1f)  %7.0f/s", r.name, median(r.took), slices.Min(r.took), slices.Max(r.took), 1e6/median(r.took))
		if r.base != nil {
			out += fmt.Sprintf("  %5.2fx", r.ratio())
		}
		if r.goal > 0 {
			out += fmt.Sprintf("  (goal %.0f/s)", r.goal)
		}
		if r.ceiling > 0 {
			out += fmt.Sprintf("  %.0f%% of the ceiling (goal %.0f%%)", 100/r.ratio(), 100*r.ceiling)
		}
		out += "\n"
	}
	_, err := io.WriteString(w, out)
	return err
}
