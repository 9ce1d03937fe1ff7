package pipeline

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
)

// ClientAuth is what a client proves by a certificate, at the handshake of its
// connection.
type ClientAuth struct {
	// Required ends the handshake of a client that shows none. Otherwise it may
	// go without one; what it shows must be good in either case.
	Required bool
	// Authorities sign such certificates.
	Authorities *x509.CertPool
	// Roots are the same, by SHA-256 of the certificate.
	Roots map[[sha256.Size]byte]bool
	// Digest names the requirement: two that ask for the same have the same.
	Digest [sha256.Size]byte
}

// ClientAuth is what clients of a canonical host prove; nil for nothing. The
// host "" is that of a client which names none.
func (s *Snapshot) ClientAuth(host string) *ClientAuth {
	if own := s.ClientCertificates[host]; own != nil {
		return own
	}
	return s.ClientCertificate
}

// Proved reports whether a connection has proved what a asks for now. It may have
// been opened under another policy, or for another host.
func (a *ClientAuth) Proved(state *tls.ConnectionState) bool {
	if state == nil {
		return false
	}
	if len(state.PeerCertificates) == 0 {
		return !a.Required
	}
	for _, chain := range state.VerifiedChains {
		if len(chain) > 0 && a.Roots[sha256.Sum256(chain[len(chain)-1].Raw)] {
			return true
		}
	}
	return false
}
