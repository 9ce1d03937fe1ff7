package token

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"portcullis/services/problem"
)

// Bounds on what an issuer is asked. Whoever sends made-up tokens makes us ask,
// for nobody but the issuer can tell them from good ones.
const (
	// maxInquiries are under way at once; strangerInquiries of them about tokens
	// that were not active a moment ago, so that those who are here stay here.
	maxInquiries      = 32
	strangerInquiries = 24
	// inquiryWaits is how many requests wait for them.
	inquiryWaits = 1024
	// unknownTokens in a row may be asked about, and another each unknownEvery:
	// then no stranger is asked about until there is one left. Good tokens cost
	// nothing of it.
	unknownTokens = 200
	unknownEvery  = 20 * time.Millisecond
	// disbelief is how long a token that was not active is not asked about again.
	disbelief = 5 * time.Second
	// disbelieved bounds how many such are remembered, apart from the good ones:
	// a storm of them pushes out its own.
	disbelieved = 4096

	// The breaker opens when half of what was asked in ten seconds came to nothing.
	inquiryWindow  = 10 * time.Second
	inquirySamples = 10
	inquiryPause   = 5 * time.Second
)

// introspector finds out what an issuer's opaque tokens are. It asks about each
// once, however many requests carry it, and not at all while the issuer is down.
type introspector struct {
	inquiry *inquiry
	terms   IssuerConfig
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	// salt keeps this issuer's tokens apart from what else has the same spelling:
	// no issuer's word decides about another's tokens.
	salt    digest
	refused table[error]
	waiting atomic.Int32

	mu        sync.Mutex
	underWay  map[digest]*verdict
	strangers int
	unknown   budget
}

// verdict is what asking came to.
type verdict struct {
	flight
	stranger  bool
	principal *Principal
	// from and until bound when the answer holds, in nanoseconds of Unix time.
	from, until int64
	// refused says why the token is no good, failed why that cannot be told.
	refused, failed error
}

func newIntrospector(cfg IssuerConfig) (*introspector, error) {
	ask := *cfg.Introspection
	if err := ask.complete(); err != nil {
		return nil, err
	}
	x := &introspector{
		inquiry: newInquiry(ask, cfg.URL, cfg.HTTP, cfg.Now), terms: cfg.terms(),
		refused: newTable[error](disbelieved), underWay: map[digest]*verdict{},
		unknown: newBudget(unknownTokens, unknownEvery, cfg.Now()),
		breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Name: cfg.Name, MaxRequests: 1, Interval: inquiryWindow, BucketPeriod: inquiryWindow / 10, Timeout: inquiryPause,
			ReadyToTrip: func(n gobreaker.Counts) bool {
				return n.Requests >= inquirySamples && n.TotalFailures*2 >= n.Requests
			},
		}),
	}
	_, _ = rand.Read(x.salt[:]) // never fails: see crypto/rand
	return x, nil
}

// key is where a token of this issuer's is kept.
func (x *introspector) key(of digest) digest {
	for i := range of {
		of[i] ^= x.salt[i]
	}
	return of
}

// inspect asks about a token, at most once at a time. A stranger is one that was
// not active a moment ago. The error is a *problem.Problem.
func (x *introspector) inspect(ctx context.Context, raw string, key digest, stranger bool) (*verdict, error) {
	if !isBearer(raw) {
		return nil, invalid(errors.New("the token has a byte that no token has"))
	}
	now := x.terms.Now()
	if no := x.refused.find(&key); no != nil && now.UnixNano() < no.until {
		no.use()
		return nil, invalid(no.value)
	}
	v, retry, err := x.start(raw, key, stranger, now)
	if err != nil {
		return nil, x.unavailable(err, retry)
	}
	defer x.waiting.Add(-1)
	if x.waiting.Add(1) > inquiryWaits {
		return nil, x.unavailable(errors.New("enough requests wait for its answers"), 0)
	}
	if err := v.wait(ctx, patience); err != nil {
		return nil, x.unavailable(err, 0)
	}
	switch { // a problem is made anew each time: whoever answers with one adds to it
	case v.failed != nil:
		return nil, x.unavailable(v.failed, 0)
	case v.refused != nil:
		return nil, invalid(v.refused)
	}
	return v, nil
}

// start joins the inquiry about a token that is under way, or begins one.
func (x *introspector) start(raw string, key digest, stranger bool, now time.Time) (*verdict, time.Duration, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if v := x.underWay[key]; v != nil {
		return v, 0, nil
	}
	if stranger {
		if retry, spent := x.unknown.spent(now); spent {
			return nil, retry, errors.New("too many tokens that it does not know were sent: no others are asked about for a moment")
		}
		if x.strangers >= strangerInquiries {
			return nil, 0, fmt.Errorf("it is asked about %d tokens at once already", strangerInquiries)
		}
	}
	if len(x.underWay) >= maxInquiries {
		return nil, 0, fmt.Errorf("it is asked about %d tokens at once already", maxInquiries)
	}
	done, err := x.breaker.Allow()
	if err != nil {
		return nil, inquiryPause, errors.New("it failed when it was asked last, and is left alone for a while")
	}
	v := &verdict{flight: flight{make(chan struct{})}, stranger: stranger}
	x.underWay[key] = v
	if stranger {
		x.strangers++
	}
	go x.fly(v, raw, key, done)
	return v, 0, nil
}

// fly asks once, on a context of its own: a caller that hangs up must not take
// the answer from the others.
func (x *introspector) fly(v *verdict, raw string, key digest, done func(error)) {
	ctx, cancel := context.WithTimeout(context.Background(), tokenTimeout)
	defer cancel()
	asked := x.terms.Now()
	answer, failure := x.inquiry.ask(ctx, raw)
	done(failure)
	switch {
	case failure != nil:
		v.failed = failure
	case answer == nil:
		v.refused = errors.New("the issuer says that the token is not active")
	default:
		p, from, err := x.terms.readActive(answer, asked)
		if err != nil {
			v.refused = err
			break
		}
		v.principal, v.from = p, from.Add(-Skew).UnixNano()
		v.until = min(asked.Add(x.inquiry.Believe).UnixNano(), p.Expires.UnixNano())
	}
	if v.refused != nil {
		x.refused.put(&entry[error]{digest: key, until: asked.Add(disbelief).UnixNano(), value: v.refused}, asked.UnixNano())
	}
	x.mu.Lock()
	delete(x.underWay, key)
	if v.stranger {
		x.strangers--
	}
	if v.refused != nil {
		x.unknown.spend()
	}
	x.mu.Unlock()
	close(v.done)
}

// IntrospectionStatus is how asking an issuer about tokens stands.
type IntrospectionStatus struct {
	// Open: it failed, and is left alone for a while.
	Open bool `json:"open"`
	// UnderWay are the inquiries that have no answer yet.
	UnderWay int `json:"under_way"`
	// Flooded: so many tokens that it does not know were sent that no stranger's
	// is asked about for a moment.
	Flooded bool `json:"flooded"`
}

// Introspection tells how asking about tokens stands; nil for an issuer that is
// not asked.
func (i *Issuer) Introspection() *IntrospectionStatus {
	x := i.introspection
	if x == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	_, flooded := x.unknown.spent(x.terms.Now())
	return &IntrospectionStatus{Open: x.breaker.State() == gobreaker.StateOpen, UnderWay: len(x.underWay), Flooded: flooded}
}

// unavailable is the answer where it cannot be told whether a token is good. Not
// knowing is not "no".
func (x *introspector) unavailable(cause error, retry time.Duration) error {
	return problem.New(problem.IssuerUnavailable, "").
		Because(fmt.Errorf("introspection by issuer %q: %w", x.terms.Name, cause)).
		With("Retry-After", seconds(retry))
}
