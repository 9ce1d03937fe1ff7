package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"portcullis/services/problem"
)

const (
	// maxExchanges bounds the exchanges under way: with a token service that
	// does not answer they would pile up, each with a subject's token.
	maxExchanges = 256
	// unasked is how long the token service is not asked again for the same
	// subject: after a refusal, and after a token that its receiver refused.
	unasked = time.Second
)

// ExchangerConfig is who exchanges tokens, where, and for whom.
type ExchangerConfig struct {
	// TokenURL is the token endpoint.
	TokenURL string
	ClientID string
	// Issuer is the URL of the issuer; needed with Key.
	Issuer string
	// Secret or Key, not both: see SourceConfig.
	Secret func() (string, error)
	Key    *ClientKey
	// Audience the tokens are for; one.
	Audience string
	// HTTP gives the transport; nil is the system's.
	HTTP *http.Client
	// Entries bounds the tokens remembered; default 16384.
	Entries int
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Exchanger gets, for the token of a caller, one by which we speak for the
// caller to another audience (RFC 8693). It remembers each for nineteen
// twentieths of its life, which ends no later than that of the caller's token.
// It is safe for concurrent use.
type Exchanger struct {
	cfg      ExchangerConfig
	endpoint *endpoint
	known    table[exchanged]

	mu       sync.Mutex
	underWay map[digest]*exchange
}

// exchanged is what an exchange came to: a token or an error.
type exchanged struct {
	token string
	err   error
	asked time.Time
}

// exchange is one under way; found is set when it ends.
type exchange struct {
	flight
	found exchanged
}

// NewExchanger returns an exchanger; it asks for nothing yet.
func NewExchanger(cfg ExchangerConfig) (*Exchanger, error) {
	e, err := endpoint{
		url: cfg.TokenURL, client: cfg.ClientID, issuer: cfg.Issuer, secret: cfg.Secret, key: cfg.Key, now: cfg.Now,
	}.complete(cfg.HTTP)
	if err != nil {
		return nil, err
	}
	if cfg.Audience == "" {
		return nil, errors.New("an exchanger needs an audience: a token for anyone could be used anywhere")
	}
	if cfg.Entries <= 0 {
		cfg.Entries = defaultEntries
	}
	cfg.Now = e.now
	return &Exchanger{
		cfg: cfg, endpoint: e, known: newTable[exchanged](min(cfg.Entries, maxEntries)), underWay: map[digest]*exchange{},
	}, nil
}

// Token returns the token for the audience that belongs to subject, a caller's
// token that has been verified. Callers with the same token wait for the same
// exchange, at most two seconds. The error is a *problem.Problem with the reason
// as its private cause: invalid_token when the token service does not take the
// caller's token, forbidden when it does not let us exchange it, unavailable
// when it cannot say. A refusal is not asked about again for a second.
func (e *Exchanger) Token(ctx context.Context, subject string) (string, error) {
	if subject == "" || len(subject) > maxToken {
		return "", invalid(fmt.Errorf("a token of %d bytes cannot be exchanged", len(subject)))
	}
	key := e.known.key(subject)
	if known := e.known.find(&key); known != nil && e.cfg.Now().UnixNano() < known.until {
		known.use()
		return known.value.token, e.denial(known.value.err)
	}
	x, err := e.start(key, subject)
	if err != nil {
		return "", e.denial(err)
	}
	if err := x.wait(ctx, patience); err != nil {
		return "", e.denial(err)
	}
	return x.found.token, e.denial(x.found.err)
}

// Forget gives up the token that belongs to subject: its receiver would not take
// it. One that is not a second old is kept, or a receiver that takes none would
// make each request an exchange.
func (e *Exchanger) Forget(subject string) {
	if len(subject) > maxToken {
		return
	}
	key := e.known.key(subject)
	if known := e.known.find(&key); known != nil && e.cfg.Now().Sub(known.value.asked) >= unasked {
		e.known.drop(known)
	}
}

// start joins the exchange of a subject's token under way, or begins one.
func (e *Exchanger) start(key digest, subject string) (*exchange, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if x := e.underWay[key]; x != nil {
		return x, nil
	}
	if known := e.known.find(&key); known != nil && e.cfg.Now().UnixNano() < known.until {
		// It ended between our two looks.
		x := &exchange{flight{make(chan struct{})}, known.value}
		close(x.done)
		return x, nil
	}
	if len(e.underWay) >= maxExchanges {
		return nil, fmt.Errorf("%d exchanges are under way", maxExchanges)
	}
	x := &exchange{flight: flight{make(chan struct{})}}
	e.underWay[key] = x
	go e.fly(x, key, subject)
	return x, nil
}

// fly asks once, on a context of its own: a caller that hangs up must not take
// the token from the others.
func (e *Exchanger) fly(x *exchange, key digest, subject string) {
	ctx, cancel := context.WithTimeout(context.Background(), tokenTimeout)
	defer cancel()
	asked := e.cfg.Now()
	t, err := e.ask(ctx, subject)
	x.found = exchanged{t.value, err, asked}
	until := t.after(19)
	if err != nil {
		until = e.cfg.Now().Add(unasked)
	}
	e.known.put(&entry[exchanged]{digest: key, until: until.UnixNano(), value: x.found}, e.cfg.Now().UnixNano())

	e.mu.Lock()
	delete(e.underWay, key)
	e.mu.Unlock()
	close(x.done)
}

func (e *Exchanger) ask(ctx context.Context, subject string) (issued, error) {
	t, err := e.endpoint.ask(ctx, url.Values{
		"grant_type":           {ExchangeGrant},
		"subject_token":        {subject},
		"subject_token_type":   {AccessTokenType},
		"requested_token_type": {AccessTokenType},
		"audience":             {e.cfg.Audience},
	}, nil)
	if err != nil {
		return issued{}, err
	}
	if t.kind != AccessTokenType {
		return issued{}, fmt.Errorf("the token service gave a %.80q, not an access token", t.kind)
	}
	return t, nil
}

// denial turns a reason into what a caller may be told. It is made anew each
// time: whoever answers with a problem adds to it.
func (e *Exchanger) denial(err error) error {
	if err == nil {
		return nil
	}
	cause := fmt.Errorf("exchange for audience %q: %w", e.cfg.Audience, err)
	retry := unasked
	if refused, ok := errors.AsType[*refusal](err); ok {
		switch refused.code {
		case "invalid_grant", "invalid_request":
			// RFC 8693 2.2.2 says invalid_request of a subject's token that is
			// bad, many services invalid_grant; the rest of the request is ours.
			return problem.New(problem.InvalidToken, "").Because(cause)
		case "invalid_target", "invalid_scope", "unauthorized_client":
			return problem.New(problem.Forbidden, "").Because(cause)
		}
		retry = max(retry, refused.retry)
	}
	return problem.New(problem.Unavailable, "").Because(cause).With("Retry-After", seconds(retry))
}
