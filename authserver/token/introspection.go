package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Which of an issuer's tokens it is asked about.
const (
	// OpaqueTokens are those that are no JWT; JWTs are verified here alone.
	OpaqueTokens = "opaque"
	// AllTokens are JWTs too, once they are verified here: for an issuer whose
	// revocations cannot be followed.
	AllTokens = "all"
)

const (
	defaultBelief = 30 * time.Second
	// MaxBelief bounds how long an answer is believed: a token that was revoked
	// meanwhile passes for as long.
	MaxBelief = time.Minute
)

// IntrospectionConfig is how an issuer is asked what a token is (RFC 7662), and
// who asks.
type IntrospectionConfig struct {
	// URL of the endpoint; empty asks discovery.
	URL      string
	ClientID string
	// Secret or Key proves the client, not both: see SourceConfig.
	Secret func() (string, error)
	Key    *ClientKey
	// Tokens is OpaqueTokens (default) or AllTokens.
	Tokens string
	// Believe is how long the answer that a token is active is used again; default
	// 30 seconds, at most MaxBelief, and never beyond the token's end.
	Believe time.Duration
}

func (c *IntrospectionConfig) complete() error {
	switch {
	case c.ClientID == "" || (c.Secret == nil) == (c.Key == nil):
		return errors.New("introspection needs a client id and either its secret or its key")
	case c.Believe < 0 || c.Believe > MaxBelief:
		return fmt.Errorf("introspection: an answer cannot be believed for %s, at most for %s", c.Believe, MaxBelief)
	case c.Tokens == "":
		c.Tokens = OpaqueTokens
	case c.Tokens != OpaqueTokens && c.Tokens != AllTokens:
		return fmt.Errorf("introspection: %q are no tokens: use opaque or all", c.Tokens)
	}
	if c.Believe == 0 {
		c.Believe = defaultBelief
	}
	if c.URL != "" {
		return checkURL(c.URL)
	}
	return nil
}

// inquiry is the introspection endpoint, and who we are there.
type inquiry struct {
	IntrospectionConfig
	issuer string
	client *http.Client
	now    func() time.Time

	found  atomic.Pointer[string] // what discovery said
	search refresher
}

func newInquiry(cfg IntrospectionConfig, issuer string, base *http.Client, now func() time.Time) *inquiry {
	q := &inquiry{IntrospectionConfig: cfg, issuer: issuer, client: confiding(base), now: now}
	q.search = refresher{run: q.discover, timeout: fetchTimeout, now: now, gap: func(failures int) time.Duration {
		return backoff(failures, coolDown)
	}}
	return q
}

// endpoint is where to ask.
func (q *inquiry) endpoint(ctx context.Context) (string, error) {
	if q.URL != "" {
		return q.URL, nil
	}
	if found := q.found.Load(); found != nil {
		return *found, nil
	}
	waited := q.search.start().wait(ctx, fetchTimeout)
	if found := q.found.Load(); found != nil {
		return *found, nil
	}
	_, err := q.search.last()
	return "", errors.Join(errors.New("where to ask is not known"), waited, err)
}

func (q *inquiry) discover(ctx context.Context) error {
	var document struct {
		Endpoint string `json:"introspection_endpoint"`
	}
	if err := discover(ctx, q.client, q.issuer, &document); err != nil {
		return err
	}
	if err := checkURL(document.Endpoint); err != nil {
		return fmt.Errorf("discover issuer %s: introspection_endpoint %w", q.issuer, err)
	}
	q.found.Store(&document.Endpoint)
	return nil
}

// ask asks once. The answer is nil for a token that is not active. An error says
// that it cannot be told, and repeats nothing that the issuer said: it may have
// said the token.
func (q *inquiry) ask(ctx context.Context, raw string) (members, error) {
	address, err := q.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := q.post(ctx, address, raw)
	if err != nil {
		q.found.Store(nil) // it may have moved: ask again next time
		return nil, fmt.Errorf("introspection at %s: %w", address, err)
	}
	return answer, nil
}

func (q *inquiry) post(ctx context.Context, address, raw string) (members, error) {
	form := url.Values{"token": {raw}, "token_type_hint": {"access_token"}}
	secret := ""
	var err error
	if q.Key != nil {
		assertion, err := q.Key.Assertion(q.ClientID, q.issuer, q.now())
		if err != nil {
			return nil, err
		}
		form.Set("client_id", q.ClientID)
		form.Set("client_assertion_type", JWTBearer)
		form.Set("client_assertion", assertion)
	} else if secret, err = q.Secret(); err != nil {
		return nil, fmt.Errorf("read the secret of client %q: %w", q.ClientID, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("the address is none")
	}
	if q.Key == nil {
		req.SetBasicAuth(url.QueryEscape(q.ClientID), url.QueryEscape(secret)) // RFC 6749 2.3.1
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	// Asking changes nothing: net/http may ask again when an idle connection has
	// died. A key without a value is not sent.
	req.Header["Idempotency-Key"] = nil
	resp, err := q.client.Do(req)
	if err != nil {
		return nil, errors.New(clip(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %.40q", resp.Status)
	}
	// A type that cannot be read is empty; its parameters say nothing to us.
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != "application/json" {
		return nil, fmt.Errorf("the answer is %.60q, not application/json", media)
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, errors.New(clip(err))
	}
	return readAnswer(data)
}

// readAnswer is an answer of RFC 7662 2.2; nil for a token that is not active.
func readAnswer(data []byte) (members, error) {
	answer, err := object(data, append(readAnyway(), "active", "token_type", "token_use")...)
	if err != nil {
		return nil, err
	}
	switch active, ok := answer["active"].(bool); {
	case !ok:
		return nil, errors.New("the answer does not say whether the token is active")
	case !active:
		return nil, nil
	}
	return answer, nil
}

// terms are those on which an issuer's answers are read: the same as for its
// JWTs, but with the names of RFC 7662 2.2.
func (cfg IssuerConfig) terms() IssuerConfig {
	cfg.ClientClaim, cfg.ScopeClaim = "client_id", "scope"
	cfg.Profile = JWT // no jti needed, and scopes may be a list
	return cfg
}

// readActive turns an answer into a principal, as strictly as a JWT is read.
func (cfg *IssuerConfig) readActive(answer members, now time.Time) (p *Principal, from time.Time, err error) {
	if _, present := answer["iss"]; present {
		if iss, err := answer.text("iss"); err != nil || iss != cfg.URL {
			return nil, from, fmt.Errorf("the issuer says that the token is another's: iss %.80q", iss)
		}
	}
	// A refresh token is active too, and so may others be that give no access.
	for name, want := range map[string][]string{"token_type": {"bearer", "access_token"}, "token_use": {"access_token", "access"}} {
		if value, present := answer[name]; present {
			if is, ok := value.(string); !ok || !slices.Contains(want, strings.ToLower(is)) {
				return nil, from, fmt.Errorf("%s %.40q is not that of a bearer token", name, value)
			}
		}
	}
	return cfg.read(answer, now)
}

// looksJWT reports whether a token is spelled as a JWT, a good one or not: such
// a token says whose it is, and is shown to no one.
func looksJWT(raw string) bool {
	head, rest, _ := strings.Cut(raw, ".")
	if strings.Count(rest, ".") != 1 {
		return false
	}
	header, err := decode(strings.TrimRight(head, "="), "header")
	return err == nil && strings.HasPrefix(strings.TrimLeft(string(header), " \t\r\n"), "{")
}
