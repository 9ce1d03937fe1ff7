// Package access holds the stages that know people: authenticate tells who
// calls, authorize whether they may. Both deny unless something says otherwise.
package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Verifier checks a bearer token. A token that is not valid is a
// *problem.Problem.
type Verifier interface {
	Verify(ctx context.Context, raw string, now time.Time) (*token.Principal, error)
}

// Authenticate is the stage that turns a bearer token into a principal.
type Authenticate struct {
	verifier Verifier
	issuers  []string
}

// NewAuthenticate returns a stage that accepts tokens of the named issuers.
func NewAuthenticate(v Verifier, issuers []string) (*Authenticate, error) {
	if v == nil || len(issuers) == 0 {
		return nil, errors.New("access: authenticate needs a verifier and at least one issuer")
	}
	return &Authenticate{verifier: v, issuers: slices.Clone(issuers)}, nil
}

// Name is "authenticate".
func (*Authenticate) Name() string { return "authenticate" }

// Decide sets the principal and its token, or denies with 401 and a challenge.
func (a *Authenticate) Decide(tx *pipeline.Transaction) error {
	raw, err := token.Bearer(tx.Request.Header)
	if err != nil {
		return challenge(err)
	}
	p, err := a.verifier.Verify(tx.Request.Context(), raw, tx.Start)
	if err != nil {
		return challenge(err)
	}
	if !slices.Contains(a.issuers, p.Issuer) {
		return challenge(problem.New(problem.InvalidToken, "").
			Because(fmt.Errorf("issuer %q is not among those of the route: %q", p.Issuer, a.issuers)))
	}
	tx.Principal, tx.Bearer = p, raw
	return nil
}

// challenge adds the WWW-Authenticate field that belongs to a denial.
func challenge(err error) error {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return token.Challenge(p, pipeline.Realm)
	}
	return err
}
