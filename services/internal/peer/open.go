package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"portcullis/services/problem"
)

// maxStream bounds what is passed on without being held: a document or an
// export. Ours have some hundred KiB.
const maxStream = 16 << 20

// Open makes a call whose answer is passed on as it comes, and must have the
// media type media. Errors are those of Do. The caller closes the body, whose
// reading ends with the client's timeout.
func (c *Client) Open(ctx context.Context, call Call, media string) (io.ReadCloser, error) {
	bounded, cancel := context.WithTimeout(ctx, c.config.Timeout)
	body, err := c.open(bounded, call, media)
	if err != nil {
		cancel()
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, problem.New(problem.ClientClosed, "").Because(err)
		}
		return nil, err
	}
	return &stream{body, cancel}, nil
}

func (c *Client) open(ctx context.Context, call Call, media string) (io.ReadCloser, error) {
	request, err := c.request(ctx, call)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", media+", application/problem+json")
	client := c.once
	if call.Repeatable || call.Key != "" || idempotent(call.Method) {
		client = c.again
	}
	resp, err := client.Do(request)
	if err != nil {
		return nil, c.unavailable(err)
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }()
		if err := c.answer(resp, nil); err != nil {
			return nil, err
		}
		return nil, problem.New(problem.BadGateway, "").Because(fmt.Errorf("%s answered %d without a body to pass on", c.config.Name, resp.StatusCode))
	}
	if got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || got != media {
		_ = resp.Body.Close()
		return nil, problem.New(problem.BadGateway, "").Because(fmt.Errorf("%s answered with a %.80q, not %s", c.config.Name, got, media))
	}
	return http.MaxBytesReader(nil, resp.Body, maxStream), nil
}

// stream ends its call when it is closed.
type stream struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (s *stream) Close() error {
	defer s.cancel()
	return s.ReadCloser.Close()
}
