package booking

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"portcullis/services/problem"
)

const (
	// refreshAhead renews an access token while it is still good, so that a token
	// service that is away for a moment is not noticed.
	refreshAhead = time.Minute
	// renewTime bounds one renewal. It goes on when the guest has left: the old
	// refresh token is used up by then.
	renewTime = 5 * time.Second
	// enough is the life a token must have left to be used when it cannot be
	// renewed.
	enough = 5 * time.Second
)

// signer is the token service as OpenID Connect has it. It is asked what it is
// when it is needed first, since it may start after us.
type signer struct {
	config Config

	mu       sync.Mutex
	provider *oidc.Provider
	endings  string // the end_session_endpoint, empty for none
}

// context makes the oauth2 and oidc packages use our HTTP client.
func (o *signer) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, o.config.HTTP)
}

// discover returns the token service's description.
func (o *signer) discover(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	// The provider keeps the client of this context for fetching keys, and not
	// its end.
	bounded, cancel := context.WithTimeout(o.context(ctx), renewTime)
	defer cancel()
	provider, err := oidc.NewProvider(bounded, o.config.Issuer)
	if err != nil {
		return nil, unavailable(fmt.Errorf("ask the token service what it is: %w", err))
	}
	var more struct {
		Endings string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, unavailable(fmt.Errorf("read the token service's description: %w", err))
	}
	o.provider, o.endings = provider, more.Endings
	return provider, nil
}

// client is what we are at the token service.
func (o *signer) client(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	provider, err := o.discover(ctx)
	if err != nil {
		return nil, nil, err
	}
	password, err := o.config.Secret()
	if err != nil {
		return nil, nil, err
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return &oauth2.Config{
		ClientID: o.config.ClientID, ClientSecret: password, Endpoint: endpoint,
		RedirectURL: o.config.PublicURL + callbackPath, Scopes: scopes(),
	}, provider, nil
}

// unavailable is the problem of a token service that cannot be asked.
func unavailable(cause error) *problem.Problem {
	return problem.New(problem.Unavailable, "").With("Retry-After", "5").Because(cause)
}

// access returns the guest's access token, renewed when it is about to end.
// errNoSession says that the token service does not know the sign-in any more.
func (s *Service) access(ctx context.Context, who *session) (string, error) {
	if s.config.Now().Add(refreshAhead).Before(who.tokens.Until) {
		return who.tokens.Access, nil
	}
	return s.again(ctx, who, who.tokens.Access)
}

// again renews the token used, unless somebody else has.
func (s *Service) again(ctx context.Context, who *session, used string) (string, error) {
	// A refresh token is good once: two requests of a session that used the same
	// one would look like theft and end the sign-in.
	lock := &s.renewing[int(who.id.lookup()[0])%renewers]
	lock.Lock()
	defer lock.Unlock()
	now, err := s.find(ctx, who.id)
	if err != nil {
		return "", err
	}
	who.tokens = now.tokens
	if who.tokens.Access != used {
		return who.tokens.Access, nil
	}
	renewed, err := s.renew(context.WithoutCancel(ctx), who)
	switch {
	case err == nil:
		who.tokens = renewed
		return renewed.Access, nil
	case !errors.Is(err, errNoSession) && s.config.Now().Add(enough).Before(who.tokens.Until):
		return who.tokens.Access, nil
	}
	return "", err
}

func (s *Service) renew(ctx context.Context, who *session) (tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	if who.tokens.Refresh == "" {
		return tokens{}, errors.Join(errNoSession, s.end(ctx, who.id))
	}
	client, _, err := s.signer.client(ctx)
	if err != nil {
		return tokens{}, err
	}
	got, err := client.TokenSource(s.signer.context(ctx), &oauth2.Token{RefreshToken: who.tokens.Refresh}).Token()
	if err != nil {
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.ErrorCode == "invalid_grant" {
			return tokens{}, errors.Join(errNoSession, s.end(ctx, who.id))
		}
		return tokens{}, unavailable(fmt.Errorf("renew a guest's token: %w", quiet(err)))
	}
	renewed := who.tokens
	renewed.Access, renewed.Until, renewed.Refresh = got.AccessToken, got.Expiry, got.RefreshToken
	if id, _ := got.Extra("id_token").(string); id != "" {
		renewed.ID = id
	}
	return renewed, s.keep(ctx, who.id, renewed)
}

// quiet is an error of the token endpoint without the answer's body, which may
// hold what no log should.
func quiet(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		status := 0
		if refused.Response != nil {
			status = refused.Response.StatusCode
		}
		return fmt.Errorf("the token endpoint answered %d %.40q", status, refused.ErrorCode)
	}
	return err
}

// current is who is signed in at this browser, or errNoSession.
func (s *Service) current(r *http.Request) (*session, error) {
	id, ok := held(r)
	if !ok {
		return nil, errNoSession
	}
	return s.find(r.Context(), id)
}
