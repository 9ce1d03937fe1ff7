// Package peer calls another service with JSON over HTTPS: with a token for
// exactly that service, within a deadline, behind a breaker, repeating only
// what may be repeated, and believing no more of the answer than its bounds
// allow.
package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"portcullis/services/problem"
)

const (
	// maxAnswer bounds an answer's body. The largest of ours, a hundred hotels,
	// is a few ten KiB.
	maxAnswer = 1 << 20
	// defaultTimeout leaves the caller time to answer within its own bound.
	defaultTimeout = 2 * time.Second
	defaultConnect = time.Second
	// connections bounds what one caller may open to one peer.
	connections = 64
)

// Credential gives the bearer token to call with; token.Source is one.
type Credential interface {
	Token(ctx context.Context) (string, error)
}

// Exchanger gives the token by which we speak to the peer for a caller, whose
// own token is subject; token.Exchanger is one.
type Exchanger interface {
	Token(ctx context.Context, subject string) (string, error)
}

// Config says whom to call and how.
type Config struct {
	// Name is the peer's name in logs and errors.
	Name string
	// URL is the peer's https address, without a path.
	URL string
	// TLS holds our certificate and whom we trust.
	TLS *tls.Config
	// Credential gives tokens whose only audience is the peer.
	Credential Credential
	// Exchange is needed for calls that have a Subject.
	Exchange Exchanger
	// Timeout bounds one call with all its attempts; 2 s when zero. A shorter
	// deadline of the context wins.
	Timeout time.Duration
	// Connect bounds connecting, and the TLS handshake after it; 1 s each when
	// zero.
	Connect time.Duration
	// RequestID tells the id of the request being served, which travels on as
	// X-Request-ID. It may be nil.
	RequestID func(context.Context) string
	Log       *slog.Logger
}

// Client calls one peer. It is safe for concurrent use.
type Client struct {
	config Config
	base   *url.URL
	// once repeats nothing that may have arrived; again repeats what does no
	// harm twice. They share connections and breaker.
	once, again *retryablehttp.Client
}

// New returns a client. It calls nobody yet.
func New(c Config) (*Client, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil || (base.Path != "" && base.Path != "/") || base.RawQuery != "" {
		return nil, fmt.Errorf("the address %q of %s must be https://HOST[:PORT] without a path", c.URL, c.Name)
	}
	if c.TLS == nil || c.Credential == nil || c.Log == nil {
		return nil, fmt.Errorf("the client of %s needs a TLS configuration, a credential and a log", c.Name)
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	inner := &http.Client{
		Transport: newBreaker(c.Name, transport(c.TLS, c.Connect), c.Log),
		// A redirect would carry the token somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Client{config: c, base: base, once: retrying(inner, false), again: retrying(inner, true)}, nil
}

// Call is one request to the peer.
type Call struct {
	Method string
	// Path is the escaped path, with the query if there is one.
	Path string
	// In is sent as JSON when not nil; Out is filled from a 2xx answer when not
	// nil. Fields of the answer that Out does not know are ignored: contracts
	// grow.
	In, Out any
	// Subject is the token of the caller for whom the call is made: the peer sees
	// the caller as its subject and us as the actor. Empty calls for ourselves.
	Subject string
	// Key is sent as Idempotency-Key; with one, the call may be repeated.
	Key string
	// Repeatable says that sending the call twice does what sending it once
	// does, whatever the method. GET, HEAD, PUT and DELETE are so anyway.
	Repeatable bool
}

// Do makes the call. Its error is a *Refusal when the peer understood and said
// no (402, 404, 409, 422), else a *problem.Problem ready for our own caller:
// unavailable with Retry-After when the peer (or its token) cannot be had
// now, bad_gateway when it answers nonsense, client_closed_request when our
// caller has gone.
func (c *Client) Do(ctx context.Context, call Call) error {
	bounded, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	err := c.do(bounded, call)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return problem.New(problem.ClientClosed, "").Because(err)
	}
	return err
}

func (c *Client) do(ctx context.Context, call Call) error {
	request, err := c.request(ctx, call)
	if err != nil {
		return err
	}
	client := c.once
	if call.Repeatable || call.Key != "" || idempotent(call.Method) {
		client = c.again
	}
	resp, err := client.Do(request)
	if err != nil {
		return c.unavailable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return c.answer(resp, call.Out)
}

func (c *Client) request(ctx context.Context, call Call) (*retryablehttp.Request, error) {
	target, err := c.base.Parse(call.Path)
	if err != nil || target.Host != c.base.Host || target.Scheme != c.base.Scheme {
		return nil, problem.New(problem.Internal, "").Because(fmt.Errorf("the path %q does not stay on %s", call.Path, c.config.Name))
	}
	var body any // an untyped nil, or retryablehttp would send an empty body
	if call.In != nil {
		raw, err := json.Marshal(call.In)
		if err != nil {
			return nil, problem.New(problem.Internal, "").Because(fmt.Errorf("write a request to %s: %w", c.config.Name, err))
		}
		body = bytes.NewReader(raw)
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, call.Method, target.String(), body)
	if err != nil {
		return nil, problem.New(problem.Internal, "").Because(err)
	}
	bearer, err := c.bearer(ctx, call.Subject)
	if err != nil {
		return nil, c.refusedToken(err)
	}
	request.Header.Set("Authorization", "Bearer "+bearer)
	request.Header.Set("Accept", "application/json, application/problem+json")
	if call.Key != "" {
		request.Header.Set("Idempotency-Key", call.Key)
	}
	if call.In != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.config.RequestID != nil {
		if id := c.config.RequestID(ctx); id != "" {
			request.Header.Set("X-Request-ID", id)
		}
	}
	return request, nil
}

// refusedToken is the problem for a token that could not be had.
func (c *Client) refusedToken(err error) *problem.Problem {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	return c.unavailable(err)
}

func (c *Client) bearer(ctx context.Context, subject string) (string, error) {
	if subject == "" {
		return c.config.Credential.Token(ctx)
	}
	if c.config.Exchange == nil {
		return "", problem.New(problem.Internal, "").Because(fmt.Errorf("%s cannot be called for somebody: there is no exchange", c.config.Name))
	}
	return c.config.Exchange.Token(ctx, subject)
}

// answer turns the peer's response into Out or an error.
func (c *Client) answer(resp *http.Response, out any) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return c.decode(resp, out)
	}
	p, err := problem.Read(resp)
	if err != nil {
		// Something other than our service speaks there; its status is all we take.
		p = problem.New(problem.ForStatus(resp.StatusCode), "").Because(err)
	}
	switch {
	case err == nil && isRefusal(resp.StatusCode):
		return &Refusal{Peer: c.config.Name, Problem: p}
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusRequestTimeout:
		return c.busy(resp, p)
	}
	// 401 and 403 among them: that our own token is not accepted is no fault of
	// our caller's, who must not be told to sign in again.
	return problem.New(problem.BadGateway, "").
		Because(fmt.Errorf("%s answered %d: %w", c.config.Name, resp.StatusCode, p))
}

// isRefusal reports whether the peer understood and said no.
func isRefusal(status int) bool {
	switch status {
	case http.StatusPaymentRequired, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

func (c *Client) decode(resp *http.Response, out any) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return c.unavailable(fmt.Errorf("read the answer: %w", err))
	case len(body) > maxAnswer:
		err = fmt.Errorf("more than %d bytes", maxAnswer)
	case out != nil:
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return problem.New(problem.BadGateway, "").Because(fmt.Errorf("the answer of %s: %w", c.config.Name, err))
	}
	return nil
}

// Close gives up idle connections.
func (c *Client) Close() { c.once.HTTPClient.CloseIdleConnections() }
