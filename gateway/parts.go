package main

import (
	"crypto/tls"
	"log/slog"

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
	// secretFile or keyFile proves the client, not both.
	secretFile, keyFile string
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
	wafMetrics, err := waf.NewMetrics(metrics)
	if err != nil {
		return nil, nil, err
	}
	client, err := id.client(log)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := id.tokens(client, log)
	if err != nil {
		return nil, nil, err
	}
	compiler, err := compile.New(compile.Config{
		Limits: limits, Gate: waf.NewGate(0), WAFMetrics: wafMetrics, Meter: meters.Route, Shadow: meters.Shadow, Forget: forget(meters), IssuerHTTP: certs.IssuerClient, Authorities: certs.Authorities,
		UpstreamTLS: client, UpstreamMetrics: upstreamMetrics, Credential: tokens.credential, Follow: tokens.follow, Secret: readSecret, ClientKey: token.ReadClientKey, Log: log,
	})
	return compiler, meters, err
}

func forget(m *edge.Meters) func(compile.Series) {
	return func(s compile.Series) { m.Forget(s.Route, s.Stage, s.Rule) }
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
