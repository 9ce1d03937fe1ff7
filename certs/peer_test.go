package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"testing"

	"portcullis/certs"
)

// The authority does not constrain URIs, so that browsers take what it signs:
// this is where a service of somebody else's is told from one of ours.
func TestWhoACertificateNames(t *testing.T) {
	for _, c := range []struct {
		name string
		uris []string
		want string
	}{
		{"a service of the hotel", []string{"spiffe://hotel.test/svc/search"}, "search"},
		{"a service elsewhere", []string{"spiffe://bank.example/svc/search"}, ""},
		{"a service of a trust domain that only ends like ours", []string{"spiffe://evilhotel.test/svc/search"}, ""},
		{"a service of a part of our trust domain", []string{"spiffe://x.hotel.test/svc/search"}, ""},
		{"something else of the hotel", []string{"spiffe://hotel.test/people/search"}, ""},
		{"another scheme", []string{"https://hotel.test/svc/search"}, ""},
		{"a user before the trust domain", []string{"spiffe://hotel.test@bank.example/svc/search"}, ""},
		{"a port", []string{"spiffe://hotel.test:443/svc/search"}, ""},
		{"a query", []string{"spiffe://hotel.test/svc/search?as=gateway"}, ""},
		{"a name that is written in two ways", []string{"spiffe://hotel.test/svc/%73earch"}, ""},
		{"two services", []string{"spiffe://hotel.test/svc/search", "spiffe://hotel.test/svc/gateway"}, ""},
		{"nobody", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cert := &x509.Certificate{}
			for _, text := range c.uris {
				u, err := url.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				cert.URIs = append(cert.URIs, u)
			}
			got, ok := certs.Peer(&tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}})
			if got != c.want || ok != (c.want != "") {
				t.Errorf("it names %q, %v", got, ok)
			}
		})
	}
}
