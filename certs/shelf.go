package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"
)

// Shelf holds the identities of a server with several names. Each follows its
// files as a Reloader does.
type Shelf struct{ identities []*Reloader }

// NewShelf loads them. The first is shown to a client that names no server, or
// one that none of them is for.
func NewShelf(files []Files, log *slog.Logger) (*Shelf, error) {
	if len(files) == 0 {
		return nil, errors.New("a server needs a certificate")
	}
	s := &Shelf{}
	for _, f := range files {
		r, err := NewServer(ServerConfig{Files: f, Log: log})
		if err != nil {
			return nil, err
		}
		s.identities = append(s.identities, r)
	}
	return s, nil
}

// Server is a configuration for servers as Reloader.Server gives, which shows
// the first certificate that is for the name asked and that the client can
// check.
func (s *Shelf) Server(protocols ...string) *tls.Config {
	c := s.identities[0].Server(protocols...)
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if len(s.identities) > 1 {
			for _, r := range s.identities {
				if pair := r.identity().pair; hello.SupportsCertificate(pair) == nil {
					return pair, nil
				}
			}
		}
		return s.identities[0].identity().pair, nil
	}
	return c
}

// Served is what one certificate says.
type Served struct {
	File   string   `json:"file"`
	Names  []string `json:"names"`
	Issuer string   `json:"issuer"`
	// NotAfter is the last moment at which it is good.
	NotAfter time.Time `json:"not_after"`
	// Fingerprint is the SHA-256 of the certificate, in hex.
	Fingerprint string `json:"fingerprint_sha256"`
}

// Served are the certificates in force, in the order of their files.
func (s *Shelf) Served() []Served {
	var all []Served
	for _, r := range s.identities {
		leaf := r.identity().pair.Leaf
		names := append([]string{}, leaf.DNSNames...)
		for _, ip := range leaf.IPAddresses {
			names = append(names, ip.String())
		}
		print := sha256.Sum256(leaf.Raw)
		all = append(all, Served{r.files.Cert, names, leaf.Issuer.String(), leaf.NotAfter.UTC(), hex.EncodeToString(print[:])})
	}
	return all
}
