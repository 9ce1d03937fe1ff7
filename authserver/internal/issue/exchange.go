package issue

import (
	"context"
	"slices"
	"time"

	"portcullis/authserver/token"
)

const (
	// maxActors bounds the chain of a delegation, as verifiers do.
	maxActors = 4
	// maxLineage bounds what a token says it was made from, as verifiers do.
	maxLineage = 8
)

// ExchangeRequest asks for a token on behalf of somebody (RFC 8693).
type ExchangeRequest struct {
	Request
	// Subject is whom the subject token speaks for. It has been verified,
	// revocations included.
	Subject *token.Principal
}

// Exchange issues a token that names the same subject, with the client as the one
// who acts for it. It is never wider than the subject token in scope, nor longer
// lived, nor wider than what the client was granted. A refusal is an *Error.
func (i *Issuer) Exchange(ctx context.Context, req ExchangeRequest) (Token, error) {
	now := i.now()
	g, err := decideExchange(req, now)
	if err != nil {
		return Token{}, err
	}
	return i.issue(ctx, req.Client, g, now)
}

// decideExchange is pure, as decide is.
func decideExchange(req ExchangeRequest, now time.Time) (grant, error) {
	client, subject := req.Client, req.Subject
	if !client.May(TokenExchangeGrant) {
		return grant{}, refuse(UnauthorizedClient, "the client may not use token exchange")
	}
	if err := mayActFor(client, subject); err != nil {
		return grant{}, err
	}
	audience, err := target(client, req.Audiences)
	if err != nil {
		return grant{}, err
	}
	allowed := common(subject.Scopes, audience.Scopes)
	if len(allowed) == 0 {
		return grant{}, refuse(InvalidScope, "the subject token has no scope that the client may use for this audience")
	}
	scopes, err := narrow(allowed, req.Scope)
	if err != nil {
		return grant{}, err
	}
	lifetime := min(client.lifetime(), subject.Expires.Sub(now))
	if lifetime < time.Second {
		return grant{}, refuse(InvalidRequest, "the subject token has expired")
	}
	lineage := slices.Clone(subject.Lineage)
	if subject.TokenID != "" {
		lineage = append(lineage, subject.TokenID)
	}
	if len(lineage) > maxLineage {
		return grant{}, refuse(InvalidRequest, "the subject token has been exchanged too often")
	}
	return grant{
		subject: subject.Subject, audience: audience.Name, mayAct: audience.MayAct, scopes: scopes, lifetime: lifetime,
		actors: append([]string{client.ID}, subject.Actors...), lineage: lineage, authTime: subject.AuthTime,
	}, nil
}

// mayActFor reports whether the client may stand between the subject and others.
// RFC 8693 2.2.2 gives every refusal of a subject token the same code.
func mayActFor(client Client, subject *token.Principal) error {
	switch {
	case !client.receives(subject.Audience):
		// Whoever got hold of a token that was not sent to it must not be able to
		// make it into one that works elsewhere.
		return refuse(InvalidRequest, "the subject token is not for this client")
	case subject.MayAct != "" && subject.MayAct != client.ID:
		return refuse(InvalidRequest, "the subject token names another client that may act")
	case subject.Subject == client.ID:
		return refuse(InvalidRequest, "the subject is the client itself: use client_credentials")
	case slices.Contains(subject.Actors, client.ID):
		return refuse(InvalidRequest, "the client acts already in this delegation")
	case len(subject.Actors) >= maxActors:
		return refuse(InvalidRequest, "the delegation is too long")
	}
	return nil
}
