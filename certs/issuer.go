package certs

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"
)

// IssuerClient is an HTTP client for somebody else's token service: it trusts the
// system's authorities and those in the PEM file ca, which may be empty.
func IssuerClient(ca string) (*http.Client, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("reading the issuer's ca: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the issuer's ca %q holds no certificate", ca)
		}
	}
	config := base()
	config.RootCAs = pool
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: config, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 5 * time.Second,
	}}, nil
}
