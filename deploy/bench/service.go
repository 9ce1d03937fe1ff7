package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"portcullis/authserver/token"
	"portcullis/certs"
)

// newVerifier returns what every service has: a verifier that follows what its
// issuer revokes, until ctx ends.
func newVerifier(ctx context.Context, issuer, secret string, client *http.Client) (*token.Verifier, error) {
	source, err := token.NewSource(token.SourceConfig{
		TokenURL: issuer + "/token", ClientID: "service", Secret: func() (string, error) { return secret, nil },
		Audience: token.FeedAudience, Scopes: []string{token.FeedScope}, HTTP: client,
	})
	if err != nil {
		return nil, err
	}
	revocations, err := token.NewRevocations(token.RevocationsConfig{URL: issuer + "/revocations", Token: source.Token, HTTP: client})
	if err != nil {
		return nil, err
	}
	own, err := token.NewIssuer(token.IssuerConfig{Name: "bench", URL: issuer, Audience: "gateway", HTTP: client, Revocations: revocations})
	if err != nil {
		return nil, err
	}
	go revocations.Run(ctx)
	return token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{own}})
}

// serveService is a service with a guard before it; its arguments are address,
// issuer, the authority's certificate and the file with its secret.
func serveService(args []string) error {
	if len(args) != 4 {
		return errors.New("the service takes address, issuer, CA and the file of its secret")
	}
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: args[2]}})
	if err != nil {
		return err
	}
	secret, err := os.ReadFile(args[3])
	if err != nil {
		return err
	}
	verifier, err := newVerifier(context.Background(), args[1], strings.TrimSpace(string(secret)), &http.Client{Transport: &http.Transport{TLSClientConfig: trust.Client()}})
	if err != nil {
		return err
	}
	guard, err := token.NewGuard(token.GuardConfig{Verifier: verifier, Realm: "bench"})
	if err != nil {
		return err
	}
	server := &http.Server{Addr: args[0], ReadHeaderTimeout: 10 * time.Second, Handler: guard.Require("read")(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }))}
	return server.ListenAndServe()
}
