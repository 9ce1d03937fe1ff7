package upstream

import (
	"context"
	"errors"

	"portcullis/services/problem"
)

// bearer is a token with the header field made of it, kept so that the field
// is made once a token and not once a request.
type bearer struct {
	token string
	field []string
}

// authorization returns the Authorization field for the upstream; nil when the
// policy says that none is sent.
func (u *Upstream) authorization(ctx context.Context) ([]string, error) {
	if u.config.Credential == nil {
		return nil, nil
	}
	token, err := u.config.Credential.Token(ctx)
	if err != nil || token == "" {
		return nil, noCredential(ctx, u.config.Name, err)
	}
	if b := u.bearer.Load(); b != nil && b.token == token {
		return b.field, nil
	}
	b := &bearer{token: token, field: []string{"Bearer " + token}}
	u.bearer.Store(b)
	return b.field, nil
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
