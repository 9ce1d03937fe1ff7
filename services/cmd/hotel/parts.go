package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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

// parts is what every service is made of.
type parts struct {
	process  *process
	database string
	log      *slog.Logger
	server   *certs.Reloader
	client   *tls.Config
	tokens   *http.Client // to the token service
	// revoked are the tokens that the issuer has withdrawn.
	revoked *token.Revocations
	issuer  *token.Issuer
	guard   *token.Guard
	peers   []*peer.Client
	sources []*token.Source
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
	if a.revoked, err = a.follow(); err != nil {
		return nil, err
	}
	a.issuer, err = token.NewIssuer(token.IssuerConfig{Name: "hotel", URL: p.issuer, Audience: p.name, Revocations: a.revoked, HTTP: a.tokens})
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
		Peer:      certs.Peer, // a token that was stolen is of no use with another's certificate
		RequestID: func(r *http.Request) string { return chassis.RequestID(r.Context()) },
		Refused: func(r *http.Request, refused *problem.Problem) {
			log.Info("a caller was refused", "request_id", chassis.RequestID(r.Context()), "reason", refused.Error())
		},
	})
	return a, err
}

// follow makes what keeps step with the issuer's revocations.
func (a *parts) follow() (*token.Revocations, error) {
	source, err := a.source(token.FeedAudience, token.FeedScope)
	if err != nil {
		return nil, err
	}
	revoked, err := token.NewRevocations(token.RevocationsConfig{
		URL:     strings.TrimSuffix(a.process.issuer, "/") + "/revocations",
		Token:   source.Token,
		Refused: source.Forget,
		HTTP:    a.tokens,
		Stale:   a.process.stale,
		Then:    a.process.then,
		Log:     a.log,
	})
	if err != nil {
		return nil, fmt.Errorf("--issuer, --revocation-stale, --revocation-then: %w", err)
	}
	return revoked, nil
}

// exchanger makes what gets tokens by which we speak for callers.
func (a *parts) exchanger(audience string) (*token.Exchanger, error) {
	flag, tokenURL := a.tokenURL()
	exchanger, err := token.NewExchanger(token.ExchangerConfig{
		TokenURL: tokenURL,
		ClientID: a.process.clientID,
		Secret:   a.secret,
		Audience: audience,
		HTTP:     a.tokens,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return exchanger, nil
}

// tokenURL is the token endpoint and the flag that says so.
func (a *parts) tokenURL() (flag, address string) {
	if a.process.tokenURL != "" {
		return "--token-url", a.process.tokenURL
	}
	return "--issuer", strings.TrimSuffix(a.process.issuer, "/") + "/token"
}

func (a *parts) secret() (string, error) { return token.ReadSecret(a.process.secretFile) }

// source makes a source of tokens of our own for an audience.
func (a *parts) source(audience string, scopes ...string) (*token.Source, error) {
	flag, tokenURL := a.tokenURL()
	if _, err := a.secret(); err != nil {
		return nil, fmt.Errorf("--client-secret-file: %w", err) // now, and not when the first guest comes
	}
	source, err := token.NewSource(token.SourceConfig{
		TokenURL: tokenURL,
		ClientID: a.process.clientID,
		Secret:   a.secret,
		Audience: audience,
		Scopes:   scopes,
		HTTP:     a.tokens,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return source, nil
}

// peer makes a client of a neighbour, with tokens of our own for its audience.
func (a *parts) peer(name, address string, scopes ...string) (*peer.Client, error) {
	return a.peerWithin(0, name, address, scopes...)
}

// peerWithin is peer for a neighbour that may take longer than they usually do,
// or must answer sooner.
func (a *parts) peerWithin(timeout time.Duration, name, address string, scopes ...string) (*peer.Client, error) {
	source, err := a.source(name, scopes...)
	if err != nil {
		return nil, err
	}
	exchanger, err := a.exchanger(name)
	if err != nil {
		return nil, err
	}
	client, err := peer.New(peer.Config{
		Name:       name,
		URL:        address,
		TLS:        a.client.Clone(),
		Credential: source,
		Exchange:   exchanger,
		Timeout:    timeout,
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

// count shows how the list of revoked tokens stands.
func (a *parts) count(metrics prometheus.Registerer) error {
	stale := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hotel_revocations_stale", Help: "1 while the issuer's revocations are missing or too old to be believed.",
	}, func() float64 {
		if a.revoked.Status().Stale {
			return 1
		}
		return 0
	})
	entries := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hotel_revocation_entries", Help: "Revocations known of the issuer.",
	}, func() float64 { return float64(a.revoked.Status().Entries) })
	return errors.Join(metrics.Register(stale), metrics.Register(entries))
}
