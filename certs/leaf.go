package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// leafName is what may become a file name, a DNS label and a SPIFFE path
// segment at once.
const leafName = `^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`

// Leaf makes sure that dir/NAME.pem and dir/NAME.key hold a certificate for
// localhost, NAME.test and loopback, with the URI spiffe://hotel.test/svc/NAME,
// good for servers and clients. One that is there is kept unless less than a
// third of its life is left, another authority signed it, or it cannot be read.
func (a *Authority) Leaf(name string, now time.Time) (Files, error) {
	if !regexp.MustCompile(leafName).MatchString(name) || name == "ca" {
		return Files{}, fmt.Errorf("%q cannot name a certificate: use lower case letters, digits and dashes, and not \"ca\"", name)
	}
	files := Files{
		Cert: filepath.Join(a.dir, name+".pem"),
		Key:  filepath.Join(a.dir, name+".key"),
		CA:   a.CA(),
	}
	if a.current(files, name, now) {
		return files, nil
	}
	if err := a.issue(files, name, now); err != nil {
		return Files{}, fmt.Errorf("making the certificate of %q: %w", name, err)
	}
	return files, nil
}

// current reports whether the leaf in files can stay as it is.
func (a *Authority) current(files Files, name string, now time.Time) bool {
	certPEM, err := os.ReadFile(files.Cert)
	if err != nil {
		return false
	}
	keyPEM, err := os.ReadFile(files.Key)
	if err != nil {
		return false
	}
	cert, err := parseCertificate(certPEM)
	if err != nil {
		return false
	}
	key, err := parseKey(keyPEM)
	if err != nil || !key.PublicKey.Equal(cert.PublicKey) {
		return false
	}
	got, ok := service(cert)
	left := cert.NotAfter.Sub(now)
	return ok && got == name && a.signed(cert) &&
		!now.Before(cert.NotBefore) && left >= cert.NotAfter.Sub(cert.NotBefore)/3
}

func (a *Authority) issue(files Files, name string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := serialNumber()
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(leafLife),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:              []string{"localhost", name + ".test"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		URIs:                  []*url.URL{spiffe(name)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	// A reader may come between the two writes and find a pair that does not
	// match: it keeps what it has and looks again.
	if err := writeFile(files.Key, keyPEM, 0o600); err != nil {
		return err
	}
	return writeFile(files.Cert, encodeCertificate(der), 0o644)
}
