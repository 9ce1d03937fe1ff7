package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portcullis/authserver/token"
	"portcullis/certs"
	"portcullis/services/problem"
)

// inspectBytes bounds what is read; a token has at most 8 KiB.
const inspectBytes = 16 << 10

func tokenInspect() *cobra.Command {
	var issuer, ca string
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Show what a token says, and whether it holds",
		Long: `Reads a token from standard input and prints its header and claims. With --url
(or AUTHSERVER_URL) its signature is checked with the keys published there, and
its times; whether it was revoked only the service and its verifiers know.

  authserver token get | authserver token inspect

The token is not an argument: every user of a machine sees the arguments of every
process.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), inspectBytes+1))
			if err != nil {
				return fmt.Errorf("read a token from standard input: %w", err)
			}
			raw := strings.TrimPrefix(strings.TrimSpace(string(text)), "Bearer ")
			if raw == "" || len(text) > inspectBytes {
				return errors.New("standard input holds no token: pipe one in, as in: authserver token get | authserver token inspect")
			}
			if err := printToken(cmd.OutOrStdout(), raw); err != nil {
				return err
			}
			base := strings.TrimSuffix(fallback(issuer, "AUTHSERVER_URL"), "/")
			if base == "" {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "not checked: give --url or set AUTHSERVER_URL")
				return err
			}
			return checkToken(cmd.Context(), cmd.OutOrStdout(), base, fallback(ca, "CA_FILE"), raw)
		},
	}
	cmd.Flags().StringVar(&issuer, "url", "", "the token service whose keys to check it with (AUTHSERVER_URL)")
	cmd.Flags().StringVar(&ca, "ca", "", "a PEM file of the authorities to trust instead of the system's (CA_FILE)")
	return cmd
}

// printToken shows header and claims, and the times as people read them. It never
// repeats the signature: what it prints is no token any more.
func printToken(w io.Writer, raw string) error {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return errors.New("this is not a signed token: it has not three parts (codes and refresh tokens say nothing)")
	}
	for i, part := range parts[:2] {
		data, err := base64.RawURLEncoding.DecodeString(part)
		var out bytes.Buffer
		if err == nil {
			err = json.Indent(&out, data, "", "  ")
		}
		if err != nil {
			return fmt.Errorf("part %d of the token is not JSON in base64url", i+1)
		}
		fmt.Fprintln(w, out.String())
	}
	return nil
}

// checkToken verifies what can be verified from outside.
func checkToken(ctx context.Context, w io.Writer, issuer, ca, raw string) error {
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: ca}})
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust.Client(), ForceAttemptHTTP2: true}}
	known, err := token.NewIssuer(token.IssuerConfig{Name: "inspected", URL: issuer, DangerouslyAnyAudience: true, HTTP: client})
	if err != nil {
		return err
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Issuers: []*token.Issuer{known}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	p, err := verifier.Verify(ctx, raw, time.Now())
	if no, ok := errors.AsType[*problem.Problem](err); ok && no.Cause != nil {
		return fmt.Errorf("the token does not hold: %w", no.Cause)
	}
	if err != nil {
		return fmt.Errorf("the token does not hold: %w", err)
	}
	_, err = fmt.Fprintf(w, "holds: signed by %s with key %s, good until %s (%s)\n",
		issuer, p.KeyID, p.Expires.UTC().Format(time.RFC3339), time.Until(p.Expires).Round(time.Second))
	return err
}
