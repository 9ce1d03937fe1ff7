package clients

import (
	"context"
	"errors"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/internal/store"
	"portcullis/authserver/token"
)

// ErrRefused is the one answer to an unknown client, a wrong secret, a used
// assertion and a disabled client: telling them apart would tell which names
// exist.
var ErrRefused = errors.New("client authentication failed")

// Method is how a client proves who it is (OpenID Connect Core 9).
type Method string

// The methods offered.
const (
	Basic         Method = "client_secret_basic"
	Post          Method = "client_secret_post"
	PrivateKeyJWT Method = "private_key_jwt"
	None          Method = "none"
)

// Proof is what a client presents.
type Proof struct {
	Method Method
	// ID is who it claims to be; for an assertion, what the assertion says.
	ID string
	// Secret or Assertion, by the method; both are secrets.
	Secret, Assertion string
}

// Authenticate returns the client that the proof is of, and what it may ask for.
// The error wraps ErrRefused with a private reason, or is a fault of ours. A
// client with keys in the policy has no secret that counts, and one that is
// public is only ever itself by method none: what a weaker method would prove
// must not do where a stronger one is asked for.
func (r *Registry) Authenticate(ctx context.Context, p Proof) (issue.Client, error) {
	client, known := r.current.Load().Client(p.ID)
	// Every refusal takes the same path: the database is asked, and a secret
	// compared, whether or not the name exists.
	kept, err := r.cfg.Store.Credentials(ctx, p.ID)
	if err != nil {
		return issue.Client{}, err
	}
	if err := r.proves(ctx, client, kept, p); err != nil {
		return issue.Client{}, err
	}
	if !known || kept.Disabled {
		return issue.Client{}, refused("the client is unknown or disabled")
	}
	return client, nil
}

func (r *Registry) proves(ctx context.Context, client issue.Client, kept store.Credentials, p Proof) error {
	switch p.Method {
	case Basic, Post:
		if right := matches(kept.Digests, p.Secret); !right || len(client.Keys) > 0 || client.Public {
			return refused("the secret is not one of the client's")
		}
		return nil
	case PrivateKeyJWT:
		return r.asserts(ctx, client, p.Assertion)
	case None:
		if !client.Public {
			return refused("the client is not public")
		}
		return nil
	}
	return refused("no method")
}

// asserts checks an assertion and uses it up. Only one that is signed by the
// client reaches the database, or strangers could fill it.
func (r *Registry) asserts(ctx context.Context, client issue.Client, raw string) error {
	a, err := token.CheckAssertion(raw, client.ID, r.cfg.Issuer, client.Keys, r.cfg.Now())
	if err != nil {
		return refused(err.Error())
	}
	first, err := r.cfg.Store.UseAssertion(ctx, a.Client, a.ID, a.Expires)
	if err != nil {
		return err
	}
	if !first {
		return refused("the assertion was used before")
	}
	return nil
}

// refusal is ErrRefused with its private reason.
type refusal struct{ reason string }

func refused(reason string) error { return refusal{reason} }

func (r refusal) Error() string { return ErrRefused.Error() + ": " + r.reason }

func (r refusal) Is(target error) bool { return target == ErrRefused }
