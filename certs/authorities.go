package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

// Authorities reads a PEM file of certificates and nothing else.
func Authorities(file string) ([]*x509.Certificate, error) {
	rest, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading authorities: %w", err)
	}
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("the file %q holds a %q beside certificates", file, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("a certificate in %q: %w", file, err)
		}
		all = append(all, cert)
	}
	switch {
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fmt.Errorf("the file %q ends with what is no PEM", file)
	case len(all) == 0:
		return nil, fmt.Errorf("the file %q holds no PEM certificate", file)
	}
	return all, nil
}
