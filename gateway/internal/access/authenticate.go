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
	issuers  []Text
}

// NewAuthenticate returns a stage that accepts tokens of the named issuers.
func NewAuthenticate(v Verifier, issuers []Text) (*Authenticate, error) {
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
	if !isOneOf(a.issuers, p.Issuer) {
		return challenge(problem.New(problem.InvalidToken, "").
			Because(fmt.Errorf("issuer %q is not among those of the route: %s", p.Issuer, eitherOf(a.issuers))))
	}
	tx.Principal, tx.Bearer = p, raw
	return nil
}

// Explain tells whose token was shown, or why it was none. The cause of a
// refusal is for operators: it never holds the token.
func (a *Authenticate) Explain(tx *pipeline.Transaction, d pipeline.Decision) []pipeline.Reason {
	out := pipeline.Reason{Text: "a token of " + eitherOf(a.issuers), Place: a.issuers[0].Place}
	switch {
	case d.Stage == a.Name() && d.Problem != nil:
		out.State, out.Value, out.Mend = pipeline.Fails, d.Problem.Code.Title(), out.Text
		if d.Kind == pipeline.Fault {
			out.State, out.Mend = pipeline.Broken, ""
		}
		if d.Problem.Cause != nil {
			out.Value = d.Problem.Cause.Error()
		}
	case tx.Principal != nil:
		out.State, out.Value = pipeline.Holds, fmt.Sprintf("issuer %s, subject %s, client %s", tx.Principal.Issuer, quoted(tx.Principal.Subject), quoted(tx.Principal.Client))
		for _, issuer := range a.issuers {
			if issuer.V == tx.Principal.Issuer {
				out.Place = issuer.Place
			}
		}
	}
	return []pipeline.Reason{out}
}

// challenge adds the WWW-Authenticate field that belongs to a denial.
func challenge(err error) error {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return token.Challenge(p, pipeline.Realm)
	}
	return err
}
