package compile

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// clientCertificates is what clients show at the handshake. The authorities are
// read at each compilation; with other ones in the file, a policy of the same
// version is another snapshot.
func (b *build) clientCertificates(s *pipeline.Snapshot) {
	if b.doc.Gateway == nil {
		return
	}
	for _, c := range b.doc.Gateway.ClientCertificates {
		auth, err := b.clientAuth(c)
		if err != nil {
			b.wrong(c.CA.Pos, CodeAuthority, err.Error(), "ca names a file of PEM certificates that the gateway can read")
			continue
		}
		if len(c.Hosts) == 0 {
			s.ClientCertificate = auth
		}
		for _, h := range c.Hosts {
			if s.ClientCertificates == nil {
				s.ClientCertificates = map[string]*pipeline.ClientAuth{}
			}
			s.ClientCertificates[h.V] = auth
		}
	}
}

func (b *build) clientAuth(c *policy.ClientCertificates) (*pipeline.ClientAuth, error) {
	auth := &pipeline.ClientAuth{Required: c.Required.Or(true), Authorities: x509.NewCertPool(), Roots: map[[sha256.Size]byte]bool{}}
	var prints [][sha256.Size]byte
	if b.Authorities != nil {
		certificates, err := b.Authorities(c.CA.V)
		if err != nil {
			return nil, err
		}
		for _, cert := range certificates {
			auth.Authorities.AddCert(cert)
			print := sha256.Sum256(cert.Raw)
			auth.Roots[print] = true
			prints = append(prints, print)
		}
	}
	slices.SortFunc(prints, func(a, b [sha256.Size]byte) int { return slices.Compare(a[:], b[:]) })
	digest := sha256.New()
	fmt.Fprintf(digest, "%t %x", auth.Required, prints)
	digest.Sum(auth.Digest[:0])
	fmt.Fprintf(b.secrets, "authorities %q %x\n", c.CA.V, auth.Digest)
	return auth, nil
}
