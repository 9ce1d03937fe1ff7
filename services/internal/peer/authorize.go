package peer

import (
	"context"

	"portcullis/services/problem"
)

// Authorize gets the token that calls with this subject will carry, and keeps
// it: who is about to begin something for a caller learns before, and not in
// the middle of it, that the token service is away or says no. Its error is a
// *problem.Problem.
func (c *Client) Authorize(ctx context.Context, subject string) error {
	bounded, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	_, err := c.bearer(bounded, subject)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return problem.New(problem.ClientClosed, "").Because(err)
	}
	return c.refusedToken(err)
}
