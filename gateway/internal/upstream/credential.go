package upstream

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// Kind is whose token an upstream is sent.
type Kind uint8

const (
	// Client is a token of the gateway's own, whoever calls.
	Client Kind = iota
	// Exchange is the caller's token, exchanged for one that the upstream takes.
	Exchange
)

// Credential gives the access token the gateway presents to an upstream.
type Credential interface {
	// Token returns a token that is good now. The caller is the raw token of
	// the request, empty when there is none; a credential of the gateway's own
	// does not look at it.
	Token(ctx context.Context, caller string) (string, error)
}

// Exchanger is a Credential that makes its tokens of the caller's.
type Exchanger interface {
	Credential
	// Forget drops what was made of the caller's token: the upstream has
	// refused it.
	Forget(caller string)
}

// Own is the credential of a source of the gateway's own tokens.
type Own struct {
	Source interface {
		Token(context.Context) (string, error)
	}
}

// Token gives the source's token, whoever calls.
func (o Own) Token(ctx context.Context, _ string) (string, error) { return o.Source.Token(ctx) }

// bearer is a token with the header field made of it, kept so that the field
// is made once a token and not once a request. It is for tokens that all
// requests share: one slot for the tokens of many callers would change with
// each request.
type bearer struct {
	token string
	field []string
}

// authorization returns the Authorization field for the upstream; nil when the
// policy says that none is sent.
func (x *exchange) authorization() ([]string, error) {
	u := x.upstream
	switch {
	case u.config.Credential == nil:
		return nil, nil
	case u.exchanger != nil:
		return x.exchanged()
	}
	token, err := u.config.Credential.Token(x.life, "")
	if err != nil || token == "" {
		return nil, noCredential(x.life, u.config.Name, err)
	}
	if b := u.bearer.Load(); b != nil && b.token == token {
		return b.field, nil
	}
	b := &bearer{token: token, field: []string{"Bearer " + token}}
	u.bearer.Store(b)
	return b.field, nil
}

// exchanged is the field made of the caller's token. It stands in the memory of
// the exchange alone, which is cleared when the request ends.
func (x *exchange) exchanged() ([]string, error) {
	u := x.upstream
	if x.tx.Bearer == "" {
		// The policy was checked for this: a request that nobody has
		// authenticated must not travel on the gateway's own rights instead.
		return nil, token.Challenge(problem.New(problem.MissingToken, ""), pipeline.Realm)
	}
	inner, err := u.exchanger.Token(x.life, x.tx.Bearer)
	if err == nil && inner == x.tx.Bearer {
		err = errors.New("the exchange gave back the caller's own token, which is not for upstream " + u.config.Name)
	}
	if err != nil || inner == "" {
		err = noCredential(x.life, u.config.Name, err)
		u.exchanges.failed(err)
		if p, ok := errors.AsType[*problem.Problem](err); ok {
			return nil, token.Challenge(p, pipeline.Realm)
		}
		return nil, err
	}
	count(u.exchanges.success)
	x.values[slotAuthorization] = "Bearer " + inner
	return x.values[slotAuthorization : slotAuthorization+1 : slotAuthorization+1], nil
}

// disowned reports whether an upstream has refused a token that was made of the
// caller's, and what the caller is told then. It has been revoked a moment ago,
// or the service judges by another clock or list than we do; what is kept of
// it is dropped in any case. A refusal of the token itself is answered with our
// own challenge: the service's is about a token that the caller has never
// seen, and what helps is to come with a new one of ours. Nothing is sent a
// second time: a token that is good gets the next request through, and a
// service that refuses good tokens is not asked twice for each request. Any
// other 401 is the service's own business with the caller and passes as it is.
func (x *exchange) disowned(res *http.Response) *problem.Problem {
	u := x.upstream
	if res.StatusCode != http.StatusUnauthorized || u.exchanger == nil {
		return nil
	}
	u.exchanger.Forget(x.tx.Bearer)
	for _, challenge := range res.Header["Www-Authenticate"] {
		if strings.Contains(challenge, `error="invalid_token"`) {
			count(u.exchanges.disowned)
			return token.Challenge(problem.New(problem.InvalidToken, "").
				Because(errors.New("upstream "+u.config.Name+" refused the token that the caller's was exchanged for")), pipeline.Realm)
		}
	}
	return nil
}

func noCredential(ctx context.Context, name string, err error) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		return timeout(err)
	}
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	if err == nil {
		err = errors.New("the credential for upstream " + name + " is empty")
	}
	return problem.New(problem.Unavailable, "").Because(err).With("Retry-After", "1")
}
