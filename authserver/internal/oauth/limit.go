package oauth

import (
	"errors"
	"hash/maphash"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/go-chi/httprate"

	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/source"
)

const (
	// rateWindow is over what requests are counted. It is also the Retry-After
	// of a refusal, so a short one.
	rateWindow  = 10 * time.Second
	defaultRate = 100
	// sourceFactor times the rate is what one source may ask for all clients
	// together: guessing names costs it as much as using them.
	sourceFactor = 10
)

// payer is whose budget a request is counted on.
type payer struct {
	// client is empty for the source as a whole.
	client string
	source netip.Addr
	// method keeps what is asked by one method from what is asked by another: who
	// guesses secrets must not keep the owner's assertions out.
	method clients.Method
}

// limitSource bounds what one source may make us read.
func (s *Server) limitSource(refuse refuser) func(http.Handler) http.Handler {
	return s.limit(s.cfg.Rate*sourceFactor, refuse, func(r *http.Request) payer { return payer{source: source.Of(r)} })
}

// limitClient bounds what is asked in one client's name from one source by one
// method. The source belongs to the key, or anybody could use up the budget of a
// client whose name they know.
func (s *Server) limitClient() func(http.Handler) http.Handler {
	return s.limit(s.cfg.Rate, s.refuseClient, func(r *http.Request) payer { return attempt(r, asked(r).who) })
}

// refuser answers a request that is refused: with JSON for a client, with a page
// for a person.
type refuser func(w http.ResponseWriter, r *http.Request, err error)

func (s *Server) limit(rate int, refuse refuser, key func(*http.Request) payer) func(http.Handler) http.Handler {
	// httprate hashes keys without a secret: a client name chosen for its hash
	// could use up another's budget. Ours are hashed with one before.
	seed := maphash.MakeSeed()
	return httprate.LimitBy(rate, rateWindow,
		func(r *http.Request) (string, error) {
			return strconv.FormatUint(maphash.Comparable(seed, key(r)), 16), nil
		},
		httprate.WithResponseHeaders(httprate.ResponseHeaders{RetryAfter: "Retry-After"}),
		httprate.WithLimitHandler(func(w http.ResponseWriter, r *http.Request) {
			refuse(w, r, &refusal{
				status: http.StatusTooManyRequests, code: codeBusy, description: "too many requests: keep a token for its life",
			})
		}),
		httprate.WithErrorHandler(refuse),
	)
}

// patient refuses an attempt that comes too soon after failed ones: of the same
// client, by the same method, from the same source. Nobody else waits.
func (s *Server) patient(r *http.Request, who clients.Proof) error {
	wait := s.backoff.Wait(attempt(r, who), s.now())
	if wait <= 0 {
		return nil
	}
	return &refusal{
		status: http.StatusTooManyRequests, code: codeBusy, description: "too many attempts failed: wait before the next",
		retry: strconv.Itoa(int(max(1, (wait+time.Second-1)/time.Second))),
	}
}

// failed notes an attempt that proved nothing; faults of ours are no attempts.
// Nor is an assertion: nobody guesses a signature, so that waiting would defend
// nothing, and a neighbour's forgeries, or one replay, would keep the client out.
func (s *Server) failed(r *http.Request, who clients.Proof, err error) {
	if errors.Is(err, clients.ErrRefused) && who.Method != clients.PrivateKeyJWT {
		s.backoff.Failed(attempt(r, who), s.now())
	}
}

func attempt(r *http.Request, who clients.Proof) payer {
	return payer{who.ID, source.Of(r), who.Method}
}
