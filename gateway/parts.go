package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/authserver/token"
	"portcullis/certs"
	"portcullis/gateway/internal/compile"
	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/limit"
	"portcullis/gateway/internal/upstream"
	"portcullis/gateway/internal/waf"
)

// identity is how the gateway proves itself to the token service and to
// upstreams.
type identity struct {
	cert, key, ca string
	tokenURL      string
	clientID      string
	secretFile    string
}

// newCompiler wires the parts that outlive every snapshot.
func newCompiler(id identity, metrics prometheus.Registerer, log *slog.Logger) (*compile.Compiler, *edge.Meters, error) {
	limits, err := limit.NewEngine(limit.Config{})
	if err != nil {
		return nil, nil, err
	}
	meters, err := edge.NewMeters(metrics)
	if err != nil {
		return nil, nil, err
	}
	upstreamMetrics, err := upstream.NewMetrics(metrics)
	if err != nil {
		return nil, nil, err
	}
	client, err := id.client(log)
	if err != nil {
		return nil, nil, err
	}
	compiler, err := compile.New(compile.Config{
		Limits: limits, Gate: waf.NewGate(0), Meter: meters.Route, IssuerHTTP: trusting,
		UpstreamTLS: client, UpstreamMetrics: upstreamMetrics, Credential: id.credentials(client), Log: log,
	})
	return compiler, meters, err
}

// client is the TLS configuration for what the gateway calls.
func (id identity) client(log *slog.Logger) (*tls.Config, error) {
	if id.ca == "" && id.cert == "" {
		return &tls.Config{MinVersion: tls.VersionTLS12}, nil
	}
	reloader, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{Cert: id.cert, Key: id.key, CA: id.ca}, Log: log})
	if err != nil {
		return nil, err
	}
	return reloader.Client(), nil
}

// credentials gives one source of tokens for each audience.
func (id identity) credentials(client *tls.Config) func(string) (upstream.Credential, error) {
	var mu sync.Mutex
	sources := map[string]upstream.Credential{}
	transport := &http.Transport{TLSClientConfig: client.Clone(), ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
	return func(audience string) (upstream.Credential, error) {
		mu.Lock()
		defer mu.Unlock()
		if s := sources[audience]; s != nil {
			return s, nil
		}
		if id.tokenURL == "" || id.clientID == "" || id.secretFile == "" {
			return nil, errors.New("a credential needs --token-url, --client-id and --client-secret-file; an upstream that wants none says credential: {none: reason}")
		}
		s, err := token.NewSource(token.SourceConfig{
			TokenURL: id.tokenURL, ClientID: id.clientID, Secret: id.secret, Audience: audience, HTTP: &http.Client{Transport: transport},
		})
		if err != nil {
			return nil, err
		}
		sources[audience] = s
		return s, nil
	}
}

// secret reads the client secret anew each time, so that a rotated one needs
// no restart.
func (id identity) secret() (string, error) {
	secret, err := token.ReadSecret(id.secretFile)
	if err != nil {
		return "", fmt.Errorf("reading --client-secret-file: %w", err)
	}
	return secret, nil
}

// trusting is a client for an issuer: the system's authorities and those in
// the file ca.
func trusting(ca string) (*http.Client, error) {
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
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 5 * time.Second,
	}}, nil
}
