package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portcullis/certs"
)

func dev(t *testing.T, dir string, now time.Time) *certs.Authority {
	t.Helper()
	a, err := certs.Dev(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func leaf(t *testing.T, a *certs.Authority, name string, now time.Time) certs.Files {
	t.Helper()
	files, err := a.Leaf(name, now)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func readCert(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(readFile(t, path))
	if block == nil {
		t.Fatalf("%s holds no PEM", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func pool(t *testing.T, path string) *x509.CertPool {
	t.Helper()
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(readFile(t, path)) {
		t.Fatalf("%s holds no certificate", path)
	}
	return p
}

func TestKeysAreForTheirOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "dev")
	files := leaf(t, dev(t, dir, time.Now()), "gateway", time.Now())
	for path, want := range map[string]os.FileMode{
		dir:                          0o700,
		filepath.Join(dir, "ca.key"): 0o600,
		files.Key:                    0o600,
		filepath.Join(dir, "ca.pem"): 0o644,
		files.Cert:                   0o644,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 4 {
		t.Errorf("temporary files are left behind: %v", entries)
	}
}

func TestTheAuthorityIsConstrained(t *testing.T) {
	now := time.Now()
	ca := readCert(t, dev(t, t.TempDir(), now).CA())
	if !ca.IsCA || !ca.MaxPathLenZero || !ca.PermittedDNSDomainsCritical {
		t.Errorf("authority %v, path length zero %v, constraints critical %v", ca.IsCA, ca.MaxPathLenZero, ca.PermittedDNSDomainsCritical)
	}
	if len(ca.PermittedURIDomains)+len(ca.ExcludedURIDomains) > 0 {
		t.Error("URIs are constrained: a browser would refuse whatever it signs")
	}
	if years := ca.NotAfter.Sub(now).Hours() / 24 / 365; years < 9.9 || years > 10.1 {
		t.Errorf("it lives %.1f years", years)
	}
}

// A stolen authority must be worthless against the world: even a certificate it
// truly signed is refused for names outside its constraints.
func TestAStolenAuthorityCannotSpeakForOthers(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	dev(t, dir, now)
	ca := readCert(t, filepath.Join(dir, "ca.pem"))
	block, _ := pem.Decode(readFile(t, filepath.Join(dir, "ca.key")))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		names x509.Certificate
		ok    bool
	}{
		{"localhost", x509.Certificate{DNSNames: []string{"localhost"}}, true},
		{"a name under localhost", x509.Certificate{DNSNames: []string{"api.localhost"}}, true},
		{"a name under .test", x509.Certificate{DNSNames: []string{"api.hotel.test"}}, true},
		{"loopback", x509.Certificate{IPAddresses: []net.IP{net.ParseIP("127.9.9.9"), net.IPv6loopback}}, true},
		{"a service of the hotel", x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "hotel.test", Path: "/svc/x"}}}, true},
		{"a public site", x509.Certificate{DNSNames: []string{"example.com"}}, false},
		{"a name that only ends in test", x509.Certificate{DNSNames: []string{"contest"}}, false},
		{"a public address", x509.Certificate{IPAddresses: []net.IP{net.ParseIP("192.0.2.1")}}, false},
		{"an IPv6 address", x509.Certificate{IPAddresses: []net.IP{net.ParseIP("2001:db8::1")}}, false},
		{"a public name beside a permitted one", x509.Certificate{DNSNames: []string{"localhost", "example.com"}}, false},
		{"another authority", x509.Certificate{IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"localhost"}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			template := c.names
			template.SerialNumber = big.NewInt(7)
			template.Subject = pkix.Name{CommonName: "forged"}
			template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
			template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.CreateCertificate(rand.Reader, &template, ca, &own.PublicKey, key)
			if err != nil {
				t.Fatal(err)
			}
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			_, err = cert.Verify(x509.VerifyOptions{Roots: pool(t, filepath.Join(dir, "ca.pem"))})
			if (err == nil) != c.ok {
				t.Errorf("verify says %v", err)
			}
		})
	}
}

func TestTheAuthorityStaysUntilItIsNearItsEnd(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	dev(t, dir, now)
	first := readFile(t, filepath.Join(dir, "ca.pem"))
	dev(t, dir, now.AddDate(9, 0, 0))
	if string(first) != string(readFile(t, filepath.Join(dir, "ca.pem"))) {
		t.Error("it was replaced with a year left")
	}
	dev(t, dir, now.AddDate(10, 0, -30))
	if string(first) == string(readFile(t, filepath.Join(dir, "ca.pem"))) {
		t.Error("it was kept though a leaf would outlive it")
	}
}

func TestABrokenAuthorityIsNamedAndNotReplaced(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, dir string){
		"its key is gone": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
				t.Fatal(err)
			}
		},
		"its key is another's": func(t *testing.T, dir string) {
			other := t.TempDir()
			dev(t, other, time.Now())
			if err := os.WriteFile(filepath.Join(dir, "ca.key"), readFile(t, filepath.Join(other, "ca.key")), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"its certificate is a leaf": func(t *testing.T, dir string) {
			files := leaf(t, dev(t, dir, time.Now()), "x", time.Now())
			for from, to := range map[string]string{files.Cert: "ca.pem", files.Key: "ca.key"} {
				if err := os.WriteFile(filepath.Join(dir, to), readFile(t, from), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		},
		"its certificate is garbage": func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("garbage"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			dev(t, dir, time.Now())
			damage(t, dir)
			before := readFile(t, filepath.Join(dir, "ca.pem"))
			_, err := certs.Dev(dir, time.Now())
			if err == nil || !strings.Contains(err.Error(), "delete ca.pem") {
				t.Errorf("error %v does not say how to mend it", err)
			}
			if string(before) != string(readFile(t, filepath.Join(dir, "ca.pem"))) {
				t.Error("it was replaced")
			}
		})
	}
}

func TestALeafFits(t *testing.T) {
	now := time.Now()
	files := leaf(t, dev(t, t.TempDir(), now), "reservations", now)
	cert := readCert(t, files.Cert)
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		for _, name := range []string{"localhost", "reservations.test", "127.0.0.1", "::1"} {
			if _, err := cert.Verify(x509.VerifyOptions{
				Roots: pool(t, files.CA), DNSName: name, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
			}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if len(cert.URIs) != 1 || cert.URIs[0].String() != "spiffe://hotel.test/svc/reservations" {
		t.Errorf("URIs %v", cert.URIs)
	}
	if days := cert.NotAfter.Sub(now).Hours() / 24; days < 89 || days > 91 {
		t.Errorf("it lives %.1f days", days)
	}
}

func TestWhenALeafIsRenewed(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name    string
		later   time.Duration
		change  func(t *testing.T, dir string, files certs.Files)
		renewed bool
	}{
		{name: "not while most of its life is left", later: 59 * 24 * time.Hour},
		{name: "in the last third of its life", later: 61 * 24 * time.Hour, renewed: true},
		{name: "after its end", later: 200 * 24 * time.Hour, renewed: true},
		{name: "when its key is gone", renewed: true, change: func(t *testing.T, _ string, files certs.Files) {
			if err := os.Remove(files.Key); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "when it cannot be read", renewed: true, change: func(t *testing.T, _ string, files certs.Files) {
			if err := os.WriteFile(files.Cert, []byte("-----BEGIN"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "when another authority has come", renewed: true, change: func(t *testing.T, dir string, _ certs.Files) {
			if err := os.Remove(filepath.Join(dir, "ca.pem")); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "when it is another service's", renewed: true, change: func(t *testing.T, dir string, files certs.Files) {
			other := leaf(t, dev(t, dir, now), "other", now)
			for from, to := range map[string]string{other.Cert: files.Cert, other.Key: files.Key} {
				if err := os.Rename(from, to); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			files := leaf(t, dev(t, dir, now), "gateway", now)
			before := readCert(t, files.Cert).SerialNumber
			if c.change != nil {
				c.change(t, dir, files)
			}
			again := leaf(t, dev(t, dir, now.Add(c.later)), "gateway", now.Add(c.later))
			after := readCert(t, again.Cert)
			if renewed := after.SerialNumber.Cmp(before) != 0; renewed != c.renewed {
				t.Errorf("renewed: %v", renewed)
			}
			if _, err := after.Verify(x509.VerifyOptions{Roots: pool(t, again.CA), CurrentTime: now.Add(c.later)}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNamesThatCannotNameAFileOrAHost(t *testing.T) {
	a := dev(t, t.TempDir(), time.Now())
	for _, name := range []string{"", "ca", "../gateway", "a/b", "Gateway", "a b", "-a", "a-", "a.b", "ä", "a\n", strings.Repeat("a", 64)} {
		if files, err := a.Leaf(name, time.Now()); err == nil {
			t.Errorf("%q was accepted as %v", name, files)
		}
	}
}
