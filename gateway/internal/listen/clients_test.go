package listen_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// signer is an authority of clients, or one below it.
type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// sign has s sign what a template says of a key; nil is whoever has the key.
func (s *signer) sign(t *testing.T, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	parent, by := template, key
	if s != nil {
		parent, by = s.certificate, s.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	check(t, err)
	made, err := x509.ParseCertificate(der)
	check(t, err)
	return made
}

// authorityOf is the template of one that may sign others.
func authorityOf(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

// TestACertificateThatTheAuthoritySignedIsNotYetGood: it has its day, and what it
// is for, and a way up to the authority that can be walked in bounded time.
func TestACertificateThatTheAuthoritySignedIsNotYetGood(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	root := &signer{key: key}
	root.certificate = (*signer)(nil).sign(t, authorityOf("clients", 1), key)
	pool := x509.NewCertPool()
	pool.AddCert(root.certificate)
	p := open(t, setup{snapshot: &pipeline.Snapshot{ClientCertificates: map[string]*pipeline.ClientAuth{"guarded.test": {Required: true, Authorities: pool}}}})

	// below is a line of authorities under the root, the last first.
	below := func(n int, name func(int) string) (*signer, [][]byte) {
		last, line := root, [][]byte(nil)
		for i := range n {
			last = &signer{last.sign(t, authorityOf(name(i), int64(i)+10), key), key}
			line = append(line, last.certificate.Raw)
		}
		slices.Reverse(line)
		return last, line
	}
	apart := func(i int) string { return fmt.Sprint("below ", i) }
	one, ofOne := below(1, apart)
	deep, ofDeep := below(150, apart)
	alike, ofAlike := below(150, func(int) string { return "below" })
	for name, c := range map[string]struct {
		by     *signer
		chain  [][]byte
		change func(*x509.Certificate)
		want   bool
	}{
		"a good one":                     {by: root, want: true},
		"a good one of one below":        {by: one, chain: ofOne, want: true},
		"an expired one":                 {by: root, change: func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }},
		"one that is not valid yet":      {by: root, change: func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }},
		"one for servers alone":          {by: root, change: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }},
		"one whose way is not shown":     {by: one},
		"one of the 150th below":         {by: deep, chain: ofDeep},
		"one of the 150th of one name":   {by: alike, chain: ofAlike},
		"one with thousands to look at":  {by: root, chain: slices.Repeat(ofOne, 2000)},
		"one with a chain that is noise": {by: root, chain: [][]byte{[]byte("noise")}},
	} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "client"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		if c.change != nil {
			c.change(template)
		}
		shown := tls.Certificate{PrivateKey: key, Certificate: append([][]byte{c.by.sign(t, template, key).Raw}, c.chain...)}
		config := &tls.Config{InsecureSkipVerify: true, ServerName: "guarded.test", MinVersion: tls.VersionTLS12}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil } // whoever is asked for
		if _, err := get(p.dial(2), config); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := get(p.dial(2), p.client()); err != nil {
		t.Errorf("after all that, on the open host: %v", err)
	}
}
