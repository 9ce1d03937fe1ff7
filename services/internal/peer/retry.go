package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/sony/gobreaker/v2"
)

const (
	// retries after the first attempt. More would only add load to a peer that
	// is in trouble; the breaker and our caller's own retry do the rest.
	retries   = 2
	firstWait = 50 * time.Millisecond
	// longestWait is also the longest Retry-After we sit out; a longer one is
	// handed on to our caller at once.
	longestWait = 500 * time.Millisecond
)

// retrying wraps the client in go-retryablehttp with our own policy: its
// defaults repeat a POST on any 5xx and obey a Retry-After of an hour.
func retrying(inner *http.Client, repeatable bool) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient:   inner,
		RetryMax:     retries,
		RetryWaitMin: firstWait,
		RetryWaitMax: longestWait,
		CheckRetry: func(ctx context.Context, resp *http.Response, err error) (bool, error) {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			return worthRepeating(repeatable, resp, err), nil
		},
		Backoff: backoff,
		// The last answer is read for what it says, not replaced by "giving up".
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// idempotent follows RFC 9110, 9.2.2.
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// worthRepeating reports whether another attempt may help and can do no harm.
func worthRepeating(repeatable bool, resp *http.Response, err error) bool {
	if err != nil {
		if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
			return false
		}
		if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
			return false // it will not become somebody else in half a second
		}
		op, isOp := errors.AsType[*net.OpError](err)
		return repeatable || (isOp && op.Op == "dial") // nothing was sent
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		wait, asked := retryAfter(resp)
		return repeatable && (!asked || wait <= longestWait)
	}
	return false
}

// backoff doubles, with jitter so that callers that failed together do not come
// back together, and waits at least what the peer asked for.
func backoff(shortest, longest time.Duration, attempt int, resp *http.Response) time.Duration {
	wait := min(shortest<<attempt, longest)
	wait = wait/2 + rand.N(wait/2+1)
	if resp != nil {
		if asked, ok := retryAfter(resp); ok {
			wait = max(wait, asked)
		}
	}
	return min(wait, longest)
}
