// Package certs is how processes here prove to each other who they are. It
// makes a development authority with leaf certificates for one machine, and
// TLS configurations whose certificates are re-read when their files change.
//
// The development authority is dangerous by nature: whoever holds its key and
// finds it trusted in a browser could speak for any site. Hence its critical
// name constraints: it can vouch for localhost, names under .test and loopback
// addresses, and for nothing else.
package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Lives of certificates, and the clock difference they tolerate: a container
// started a moment ago may lag behind the machine that signed.
const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 90 * 24 * time.Hour
	clockSkew     = 5 * time.Minute
)

// domain is the SPIFFE trust domain; it is under .test, which nobody can own
// (RFC 6761).
const domain = "hotel.test"

// Authority is a development certificate authority in a folder.
type Authority struct {
	dir  string
	cert *x509.Certificate
	pem  []byte
	key  *ecdsa.PrivateKey
}

// Files are the PEM files of one TLS identity. CA holds the certificates that
// its peers are checked against.
type Files struct{ Cert, Key, CA string }

// Dev loads the authority in dir, or makes one if there is none or its end
// comes before that of a leaf made now. The folder is made with mode 0700. A
// certificate without its key is an error and not a reason to make another:
// somebody may already trust it.
func Dev(dir string, now time.Time) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for certificates: %w", err)
	}
	a, err := load(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && a.cert.NotAfter.Before(now.Add(leafLife)) {
		return create(dir, now)
	}
	if err != nil {
		return nil, fmt.Errorf("loading the authority in %q: %w; delete ca.pem there to make a new one", dir, err)
	}
	return a, nil
}

// CA is the file with the authority's certificate, to be given to clients.
func (a *Authority) CA() string { return filepath.Join(a.dir, "ca.pem") }

// load returns an error that is fs.ErrNotExist only when ca.pem is missing.
func load(dir string) (*Authority, error) {
	certPEM, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	cert, err := parseCertificate(certPEM)
	if err != nil {
		return nil, fmt.Errorf("ca.pem: %w", err)
	}
	keyPEM, err := os.ReadFile(filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, fmt.Errorf("ca.key cannot be read: %v", err)
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("ca.key: %w", err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("ca.key does not belong to ca.pem")
	}
	if !cert.IsCA {
		return nil, errors.New("ca.pem is not the certificate of an authority")
	}
	return &Authority{dir: dir, cert: cert, pem: certPEM, key: key}, nil
}

func create(dir string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		// The number tells authorities apart that a machine has seen over time.
		Subject:               pkix.Name{CommonName: fmt.Sprintf("Portcullis development CA %x", serial.Bytes()[:4])},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(authorityLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true, // it signs leaves, never another authority
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,

		// URIs are not constrained: Chromium knows no such constraint, and so
		// must refuse every certificate of ours that has one (RFC 5280, 4.2.1.10).
		// Whose service a URI names is for Peer to say.
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"localhost", "test"},
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("signing the authority: %w", err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := encodeCertificate(der)
	// The certificate comes last: a crash in between leaves a folder without
	// ca.pem, which the next call takes as empty.
	if err := os.Remove(filepath.Join(dir, "ca.pem")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := writeFile(filepath.Join(dir, "ca.key"), keyPEM, 0o600); err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(dir, "ca.pem"), certPEM, 0o644); err != nil {
		return nil, err
	}
	return load(dir)
}

// signed reports whether the authority's own key signed cert.
func (a *Authority) signed(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, a.cert.RawSubject) && cert.CheckSignatureFrom(a.cert) == nil
}

// serialNumber is 127 random bits, positive (RFC 5280, 4.1.2.2), and long
// enough that two never meet.
func serialNumber() (*big.Int, error) {
	floor := new(big.Int).Lsh(big.NewInt(1), 126)
	n, err := rand.Int(rand.Reader, floor)
	if err != nil {
		return nil, err
	}
	return n.Add(n, floor), nil
}
