package peer

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/sony/gobreaker/v2"

	"portcullis/services/problem"
)

const (
	// defaultRetryAfter is what our caller is told when nobody says better.
	defaultRetryAfter = 2 * time.Second
	// maxRetryAfter caps what a peer may make us tell our callers: a mistaken
	// hour would keep them away long after it is back.
	maxRetryAfter = 30 * time.Second
)

// Refusal is a peer's considered no: what was asked for is not there (404),
// conflicts with how things stand (409) or makes no sense to it (422).
type Refusal struct {
	Peer    string
	Problem *problem.Problem
}

// Error says who refused and why; it is for logs.
func (r *Refusal) Error() string { return fmt.Sprintf("%s refused: %v", r.Peer, r.Problem) }

// Status is the status of the peer's answer.
func (r *Refusal) Status() int { return r.Problem.Status() }

// unavailable is the problem for a peer that could not be asked.
func (c *Client) unavailable(cause error) *problem.Problem {
	wait := defaultRetryAfter
	if errors.Is(cause, gobreaker.ErrOpenState) {
		wait = openFor
	}
	return c.retryLater(wait, cause)
}

// busy is the problem for a peer that answered but could not serve.
func (c *Client) busy(resp *http.Response, p *problem.Problem) *problem.Problem {
	wait, asked := retryAfter(resp)
	if !asked {
		wait = defaultRetryAfter
	}
	return c.retryLater(wait, fmt.Errorf("answered %d: %w", resp.StatusCode, p))
}

func (c *Client) retryLater(wait time.Duration, cause error) *problem.Problem {
	seconds := int(min(wait, maxRetryAfter).Round(time.Second) / time.Second)
	return problem.New(problem.Unavailable, "").
		With("Retry-After", strconv.Itoa(max(seconds, 1))).
		Because(fmt.Errorf("%s: %w", c.config.Name, cause))
}

// retryAfter reads the delay a response asks for. Our services give seconds; the
// date form (RFC 9110, 10.2.3) would need a clock that agrees with the peer's.
func retryAfter(resp *http.Response) (wait time.Duration, asked bool) {
	seconds, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0, false
	}
	return time.Duration(seconds) * time.Second, true
}
