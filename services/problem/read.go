package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// Bounds on a problem that another process sent: it is believed as little as
// any other input.
const (
	maxBody   = 16 << 10
	maxDetail = 1 << 10
)

// ErrNotProblem says that a response is not a problem in the sense of RFC 9457.
var ErrNotProblem = errors.New("the response is not application/problem+json")

// Read parses the problem in an answer of another process. The status of the
// answer outranks what its body says: an unknown code, or one that belongs to
// another status, becomes the general code of the answer's status. Retry-After
// and WWW-Authenticate are kept. Read does not close the body. It returns
// ErrNotProblem when the answer is something else.
func Read(resp *http.Response) (*Problem, error) {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || media != "application/problem+json" || resp.StatusCode < 400 {
		return nil, ErrNotProblem
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading a problem: %w", err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("a problem of more than %d bytes", maxBody)
	}
	var d details
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("reading a problem: %w", err)
	}
	p := New(d.Code, d.Detail)
	if p.Status() != resp.StatusCode {
		p.Code = ForStatus(resp.StatusCode)
	}
	if len(p.Detail) > maxDetail {
		p.Detail = ""
	}
	for _, name := range []string{"Retry-After", "Www-Authenticate"} {
		for _, value := range resp.Header[name] {
			p.With(name, value)
		}
	}
	return p, nil
}

// ForStatus is the general code for an HTTP status of 400 and above. A status
// without one falls back to bad_request below 500 and to internal from there.
func ForStatus(status int) Code {
	switch status {
	case http.StatusUnauthorized:
		return InvalidToken
	case http.StatusForbidden:
		return Forbidden
	case http.StatusNotFound:
		return NotFound
	case http.StatusMethodNotAllowed:
		return MethodNotAllowed
	case http.StatusRequestTimeout:
		return RequestTimeout
	case http.StatusConflict:
		return Conflict
	case http.StatusRequestEntityTooLarge:
		return BodyTooLarge
	case http.StatusUnsupportedMediaType:
		return UnsupportedMedia
	case http.StatusMisdirectedRequest:
		return WrongHost
	case http.StatusUnprocessableEntity:
		return Unprocessable
	case http.StatusTooManyRequests:
		return TooManyRequests
	case http.StatusRequestHeaderFieldsTooLarge:
		return HeadersTooLarge
	case 499:
		return ClientClosed
	case http.StatusBadGateway:
		return BadGateway
	case http.StatusServiceUnavailable:
		return Unavailable
	case http.StatusGatewayTimeout:
		return GatewayTimeout
	}
	if status < 500 {
		return BadRequest
	}
	return Internal
}
