package oauth

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/go-chi/httprate"
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
}

// limitSource bounds what one source may make us read.
func (s *Server) limitSource() func(http.Handler) http.Handler {
	return s.limit(s.cfg.Rate*sourceFactor, func(r *http.Request) payer { return payer{source: source(r)} })
}

// limitClient bounds what is asked in one client's name from one source. The
// source belongs to the key, or anybody could use up the budget of a client
// whose name they know.
func (s *Server) limitClient() func(http.Handler) http.Handler {
	return s.limit(s.cfg.Rate, func(r *http.Request) payer { return payer{asked(r).who.id, source(r)} })
}

func (s *Server) limit(rate int, key func(*http.Request) payer) func(http.Handler) http.Handler {
	// httprate hashes keys without a secret: a client name chosen for its hash
	// could use up another's budget. Ours are hashed with one before.
	seed := maphash.MakeSeed()
	return httprate.LimitBy(rate, rateWindow,
		func(r *http.Request) (string, error) {
			return strconv.FormatUint(maphash.Comparable(seed, key(r)), 16), nil
		},
		httprate.WithResponseHeaders(httprate.ResponseHeaders{RetryAfter: "Retry-After"}),
		httprate.WithLimitHandler(func(w http.ResponseWriter, r *http.Request) {
			s.refuse(w, r, "", &refusal{http.StatusTooManyRequests, codeBusy, "too many token requests: keep a token for its life"})
		}),
		httprate.WithErrorHandler(func(w http.ResponseWriter, r *http.Request, err error) { s.refuse(w, r, "", err) }),
	)
}

// source is the client's address: its /64 for IPv6, of which one machine has as
// many addresses as it wants. No field of the request is believed.
func source(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // one budget for all that cannot be told apart
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is4() || addr.IsLoopback() {
		return addr
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return addr
	}
	return prefix.Addr()
}
