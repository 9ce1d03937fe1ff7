package certs

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"strings"
)

// servicePath begins the path of every SPIFFE id here.
const servicePath = "/svc/"

// spiffe is the id of a service: spiffe://hotel.test/svc/NAME.
func spiffe(name string) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: domain, Path: servicePath + name}
}

// Peer is the name of the service at the other end of a connection, from the
// SPIFFE id in its certificate. It is false unless the certificate was verified
// against the authorities of the connection's configuration.
func Peer(cs *tls.ConnectionState) (name string, ok bool) {
	if cs == nil || len(cs.VerifiedChains) == 0 || len(cs.VerifiedChains[0]) == 0 {
		return "", false
	}
	return service(cs.VerifiedChains[0][0])
}

// service is the name in the certificate's SPIFFE id. A certificate has exactly
// one URI, or none of them counts (SPIFFE X.509-SVID, 2).
func service(cert *x509.Certificate) (name string, ok bool) {
	if len(cert.URIs) != 1 {
		return "", false
	}
	id := cert.URIs[0]
	name, ok = strings.CutPrefix(id.Path, servicePath)
	if !ok || name == "" || strings.Contains(name, "/") || id.String() != spiffe(name).String() {
		return "", false
	}
	return name, true
}
