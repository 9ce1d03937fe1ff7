package main

import (
	"context"
	"net/url"
	"time"

	"portcullis/authserver/token"
)

// tokenLoad asks for tokens with a secret.
type tokenLoad struct {
	*asker
	authorization string
	form          string
}

func (l *tokenLoad) send(ctx context.Context, n int) error {
	return spread(ctx, n, func(ctx context.Context, _ int) error {
		_, err := l.token(ctx, l.authorization, l.form)
		return err
	})
}

// assertionLoad asks with an assertion, which is good once.
type assertionLoad struct {
	*asker
	key   *token.ClientKey
	forms []string
}

// ahead implements preparer.
func (l *assertionLoad) ahead(ctx context.Context, n int) error {
	l.forms = make([]string, n)
	return spread(ctx, n, func(_ context.Context, i int) error {
		assertion, err := l.key.Assertion("asserting", l.base, time.Now())
		l.forms[i] = url.Values{
			"grant_type":            {"client_credentials"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {assertion},
		}.Encode()
		return err
	})
}

func (l *assertionLoad) send(ctx context.Context, n int) error {
	return spread(ctx, n, func(ctx context.Context, i int) error {
		_, err := l.token(ctx, "", l.forms[i])
		return err
	})
}

// exchangeLoad exchanges tokens, each once: a gateway remembers what it got for
// one.
type exchangeLoad struct {
	*asker
	authorization string
	callers       *tokenLoad
	forms         []string
}

// ahead implements preparer.
func (l *exchangeLoad) ahead(ctx context.Context, n int) error {
	l.forms = make([]string, n)
	return spread(ctx, n, func(ctx context.Context, i int) error {
		subject, err := l.callers.token(ctx, l.callers.authorization, l.callers.form)
		l.forms[i] = url.Values{
			"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"subject_token":      {subject},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
			"audience":           {"backend"},
		}.Encode()
		return err
	})
}

func (l *exchangeLoad) send(ctx context.Context, n int) error {
	return spread(ctx, n, func(ctx context.Context, i int) error {
		_, err := l.token(ctx, l.authorization, l.forms[i])
		return err
	})
}
