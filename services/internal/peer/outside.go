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
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"portcullis/services/problem"
)

// OutsideConfig says whom to call outside the hotel and how.
type OutsideConfig struct {
	// Name is the other's name in logs and errors.
	Name string
	// URL is its https address; calls go below its path if it has one.
	URL string
	// TLS says whom we trust.
	TLS *tls.Config
	// Timeout bounds one call with all its attempts; 2 s when zero. A shorter
	// deadline of the context wins.
	Timeout time.Duration
	// Connect bounds connecting, and the TLS handshake after it; 1 s each when
	// zero.
	Connect time.Duration
	Log     *slog.Logger
}

// Outside calls somebody who is no service of ours: none of our tokens, request
// ids and certificates go there, and what comes back is believed to be nothing
// but a status and some bytes. Deadline, breaker, repeating and bounds are those
// of Client. It is safe for concurrent use.
type Outside struct {
	config OutsideConfig
	base   string
	once   *retryablehttp.Client
	again  *retryablehttp.Client
}

// NewOutside returns a client. It calls nobody yet.
func NewOutside(c OutsideConfig) (*Outside, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("the address %q of %s must be https://HOST[:PORT][/PATH]", c.URL, c.Name)
	}
	if c.TLS == nil || c.Log == nil {
		return nil, fmt.Errorf("the client of %s needs a TLS configuration and a log", c.Name)
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	inner := &http.Client{
		Transport: newBreaker(c.Name, transport(c.TLS, c.Connect), c.Log),
		// Whom we call is for us to say.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Outside{config: c, base: strings.TrimSuffix(base.String(), "/"), once: retrying(inner, false), again: retrying(inner, true)}, nil
}

// Request is one request to somebody outside.
type Request struct {
	Method string
	// Path is escaped, with the query if there is one.
	Path string
	// In is sent as JSON when not nil.
	In any
	// Header holds further fields.
	Header http.Header
	// Key is sent as Idempotency-Key; with one, the request may be repeated, as
	// GET, HEAD, PUT and DELETE may anyway.
	Key string
}

// Reply is what somebody outside said, whatever it means.
type Reply struct {
	Status int
	Body   []byte
}

// Decode reads the body into v. Its error is the problem bad_gateway.
func (r Reply) Decode(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return problem.New(problem.BadGateway, "").Because(fmt.Errorf("an answer of status %d: %w", r.Status, err))
	}
	return nil
}

// Ask makes the call. Its error is a *problem.Problem ready for our own caller:
// unavailable with Retry-After when there was no answer or one that says "not
// now" (5xx, 408, 429), bad_gateway when there was more of it than we read,
// client_closed_request when our caller has gone. Whether the work was done is
// then unknown.
func (o *Outside) Ask(ctx context.Context, r Request) (Reply, error) {
	bounded, cancel := context.WithTimeout(ctx, o.config.Timeout)
	defer cancel()
	reply, err := o.ask(bounded, r)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return Reply{}, problem.New(problem.ClientClosed, "").Because(err)
	}
	return reply, err
}

func (o *Outside) ask(ctx context.Context, r Request) (Reply, error) {
	request, err := o.request(ctx, r)
	if err != nil {
		return Reply{}, problem.New(problem.Internal, "").Because(fmt.Errorf("write a request to %s: %w", o.config.Name, err))
	}
	client := o.once
	if r.Key != "" || idempotent(r.Method) {
		client = o.again
	}
	resp, err := client.Do(request)
	if err != nil {
		return Reply{}, o.unavailable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout {
		return Reply{}, o.busy(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return Reply{}, o.unavailable(fmt.Errorf("read the answer: %w", err))
	}
	if len(body) > maxAnswer {
		return Reply{}, problem.New(problem.BadGateway, "").Because(fmt.Errorf("the answer of %s has more than %d bytes", o.config.Name, maxAnswer))
	}
	return Reply{Status: resp.StatusCode, Body: body}, nil
}

func (o *Outside) request(ctx context.Context, r Request) (*retryablehttp.Request, error) {
	if !strings.HasPrefix(r.Path, "/") {
		return nil, fmt.Errorf("the path %q does not begin with a slash", r.Path)
	}
	var body any
	if r.In != nil {
		raw, err := json.Marshal(r.In)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, r.Method, o.base+r.Path, body)
	if err != nil {
		return nil, err
	}
	if r.Header != nil {
		request.Header = r.Header.Clone()
	}
	request.Header.Set("Accept", "application/json")
	if r.In != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.Key != "" {
		request.Header.Set("Idempotency-Key", r.Key)
	}
	return request, nil
}

// Close gives up idle connections.
func (o *Outside) Close() { o.once.HTTPClient.CloseIdleConnections() }

// unavailable and busy are those of a client with the same name.
func (o *Outside) unavailable(cause error) *problem.Problem {
	return (&Client{config: Config{Name: o.config.Name}}).unavailable(cause)
}

func (o *Outside) busy(resp *http.Response) *problem.Problem {
	return (&Client{config: Config{Name: o.config.Name}}).busy(resp, problem.New(problem.ForStatus(resp.StatusCode), ""))
}
