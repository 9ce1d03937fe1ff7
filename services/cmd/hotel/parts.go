package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"portcullis/authserver/token"
	"portcullis/certs"
	"portcullis/services/chassis"
	"portcullis/services/internal/peer"
	"portcullis/services/problem"
)

const (
	// tokenServiceTimeout bounds connecting to the token service.
	tokenServiceTimeout = 2 * time.Second
	// warmTime bounds what is fetched at the start.
	warmTime = 30 * time.Second
)

// gateway is the client that may say on whose behalf it calls.
const gateway = "gateway"

// parts is what every service is made of.
type parts struct {
	process  *process
	database string
	log      *slog.Logger
	server   *certs.Reloader
	client   *tls.Config
	tokens   *http.Client // to the token service
	issuer   *token.Issuer
	guard    *token.Guard
	peers    []*peer.Client
	sources  []*token.Source
}

func (p *process) assemble(log *slog.Logger) (*parts, error) {
	server, err := certs.NewServer(certs.ServerConfig{Files: p.files, ClientAuth: true, Log: log})
	if err != nil {
		return nil, fmt.Errorf("--cert, --key, --ca: %w", err)
	}
	client, err := certs.NewClient(certs.ClientConfig{Files: p.files, Log: log})
	if err != nil {
		return nil, fmt.Errorf("--cert, --key, --ca: %w", err)
	}
	a := &parts{
		process:  p,
		database: filepath.Join(p.data, p.name+".db"),
		log:      log,
		server:   server,
		client:   client.Client(),
	}
	a.tokens = &http.Client{Transport: &http.Transport{
		TLSClientConfig:        a.client.Clone(), // http.Transport writes ALPN into it
		ForceAttemptHTTP2:      true,
		DialContext:            (&net.Dialer{Timeout: tokenServiceTimeout}).DialContext,
		TLSHandshakeTimeout:    tokenServiceTimeout,
		ResponseHeaderTimeout:  tokenServiceTimeout,
		IdleConnTimeout:        time.Minute,
		MaxIdleConnsPerHost:    2,
		MaxResponseHeaderBytes: 32 << 10,
	}}
	a.issuer, err = token.NewIssuer(token.IssuerConfig{Name: "hotel", URL: p.issuer, Audience: p.name, HTTP: a.tokens})
	if err != nil {
		return nil, fmt.Errorf("--issuer: %w", err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{a.issuer}})
	if err != nil {
		return nil, err
	}
	a.guard, err = token.NewGuard(token.GuardConfig{
		Verifier:  verifier,
		Realm:     p.name,
		Delegates: []string{gateway},
		Peer:      certs.Peer,
		RequestID: func(r *http.Request) string { return chassis.RequestID(r.Context()) },
		Refused: func(r *http.Request, refused *problem.Problem) {
			log.Info("a caller was refused", "request_id", chassis.RequestID(r.Context()), "reason", refused.Error())
		},
	})
	return a, err
}

// peer makes a client of a neighbour, with tokens of our own for its audience.
func (a *parts) peer(name, address string, scopes ...string) (*peer.Client, error) {
	p := a.process
	tokenURL := p.tokenURL
	if tokenURL == "" {
		tokenURL = strings.TrimSuffix(p.issuer, "/") + "/token"
	}
	secret := func() (string, error) { return token.ReadSecret(p.secretFile) }
	if _, err := secret(); err != nil {
		return nil, fmt.Errorf("--client-secret-file: %w", err) // now, and not when the first guest comes
	}
	source, err := token.NewSource(token.SourceConfig{
		TokenURL: tokenURL,
		ClientID: p.clientID,
		Secret:   secret,
		Audience: name,
		Scopes:   scopes,
		HTTP:     a.tokens,
	})
	if err != nil {
		return nil, fmt.Errorf("--token-url: %w", err)
	}
	client, err := peer.New(peer.Config{
		Name:       name,
		URL:        address,
		TLS:        a.client.Clone(),
		Credential: source,
		RequestID:  chassis.RequestID,
		Log:        a.log,
	})
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", name, err)
	}
	a.sources = append(a.sources, source)
	a.peers = append(a.peers, client)
	return client, nil
}

// warm fetches keys and tokens ahead. What fails now is fetched when needed.
func (a *parts) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmTime)
	defer cancel()
	if err := a.issuer.Warm(ctx); err != nil {
		a.log.Info("the issuer's keys are not there yet", "error", err.Error())
	}
	for _, s := range a.sources {
		if _, err := s.Token(ctx); err != nil {
			a.log.Info("a token to call a neighbour with is not there yet", "error", err.Error())
		}
	}
}

func (a *parts) close() {
	for _, p := range a.peers {
		p.Close()
	}
	a.tokens.CloseIdleConnections()
}
