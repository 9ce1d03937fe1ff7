package peer_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"portcullis/services/internal/peer"
	"portcullis/services/problem"
)

// exchange gives a token for subject, or an error.
type exchange func(subject string) (string, error)

func (e exchange) Token(_ context.Context, subject string) (string, error) { return e(subject) }

func TestAuthorizeSaysBeforehandWhatACallWouldMeet(t *testing.T) {
	n := newNeighbour(t, func(int64, http.ResponseWriter, *http.Request) {})
	for name, c := range map[string]struct {
		err  error
		code problem.Code
	}{
		"there is a token":           {nil, ""},
		"the token service is away":  {problem.New(problem.Unavailable, "").With("Retry-After", "9"), problem.Unavailable},
		"the guest's token is over":  {problem.New(problem.InvalidToken, ""), problem.InvalidToken},
		"something else than that":   {errors.New("no such file"), problem.Unavailable},
		"we may not speak for guest": {problem.New(problem.Forbidden, ""), problem.Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			err := n.client(t, func(cfg *peer.Config) {
				cfg.Exchange = exchange(func(subject string) (string, error) {
					if subject != "the guest's" {
						t.Errorf("exchanged %q", subject)
					}
					return "ours", c.err
				})
			}).Authorize(t.Context(), "the guest's")
			p, _ := errors.AsType[*problem.Problem](err)
			if (err == nil) != (c.code == "") || (p != nil && p.Code != c.code) || (p != nil && p.Code == problem.Unavailable && p.Header.Get("Retry-After") == "") {
				t.Errorf("error %v, want %q", err, c.code)
			}
		})
	}
	if n.asked.Load() != 0 {
		t.Error("the peer was called")
	}
}
