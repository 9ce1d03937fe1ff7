package token

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"portcullis/services/problem"
)

// The profiles of tokens: how an issuer marks its access tokens.
const (
	// RFC9068 is at+jwt: the type says that it is an access token.
	RFC9068 = "rfc9068"
	// JWT is for issuers without at+jwt; required claims must tell access
	// tokens from ID tokens.
	JWT = "jwt"
)

const (
	defaultLifetime = time.Hour
	// coolDown is the least time between two fetches after a success. Whoever
	// sends made-up key ids causes one request in this time, no more.
	coolDown = 10 * time.Second
	// localRefresh is how long keys of this process are taken for fresh.
	localRefresh = time.Second
	// maxStale is how long keys are used when the issuer does not answer: long
	// enough to mend it, short enough that a withdrawn key dies.
	maxStale = time.Hour
	// patience is how long a request waits for keys that are not there.
	patience = 2 * time.Second
	// strangersWait is how many requests wait at once for a key that the issuer
	// may have made this moment: enough for the honest first users of a new key,
	// and all that a storm of made-up key ids can hold. newcomersWait is how
	// many wait for the issuer's first keys, without which nobody passes.
	strangersWait = 16
	newcomersWait = 1024
)

var errCrowded = errors.New("a fetch is under way, and enough requests wait for it")

// IssuerConfig is someone whose tokens are accepted, and on which terms.
type IssuerConfig struct {
	// Name is what logs and policies call the issuer.
	Name string
	// URL is the exact iss claim, and where discovery starts.
	URL string
	// Audience is what aud must contain: ourselves.
	Audience string
	// DangerouslyAnyAudience accepts tokens for any audience in place of
	// Audience. It is for the token service, which is shown others' tokens and
	// decides later whom they concern; a service with it takes every token
	// that was ever meant for its neighbours.
	DangerouslyAnyAudience bool
	// Profile is RFC9068 (default) or JWT.
	Profile string
	// Algorithms accepted; default ES256 and RS256. Only signatures with a
	// public key are possible.
	Algorithms []string
	// JWKS is where the keys are; empty asks discovery.
	JWKS string
	// Keys, if set, gives the key set (RFC 7517 JSON) from this process in
	// place of a fetch. It is asked at least every second, and for each key id
	// that is not known.
	Keys func(ctx context.Context) ([]byte, error)
	// Revocations are the issuer's; nil follows none, and a token is good for
	// as long as it says.
	Revocations *Revocations
	// ClientClaim and ScopeClaim name the claims of profile JWT; default azp
	// and scope.
	ClientClaim, ScopeClaim string
	// Require are claims that must be there with exactly these values; profile
	// JWT needs at least one that ID tokens do not have.
	Require map[string]string
	// Claims are further claims to read, with the type that each must have; see
	// Principal.Claim. A token without them, or with another type of them, is as
	// good as any.
	Claims map[string]ClaimType
	// Lifetime is the longest exp-iat accepted; default one hour.
	Lifetime time.Duration
	// Introspection, if set, asks the issuer about tokens that only it can read.
	Introspection *IntrospectionConfig
	// HTTP gives the transport (proxy, CA) for the issuer's keys; nil is the
	// system's. Its redirects and timeouts do not count.
	HTTP *http.Client
	// Now is the clock by which keys age; nil is time.Now.
	Now func() time.Time
}

// Issuer is a trusted issuer with its keys, which it fetches when they are
// needed and again in the background as they age. The issuer may be down at
// first and come later. It is safe for concurrent use and may be shared by
// verifiers.
type Issuer struct {
	cfg   IssuerConfig
	fetch func(context.Context) (keys verifyKeys, fresh time.Duration, err error)
	keys  refresher
	now   func() time.Time

	introspection *introspector // nil: none
	waiting       atomic.Int32

	set atomic.Pointer[keyState]
	// refreshAt is when the keys should be fetched again, in nanoseconds of
	// Unix time.
	refreshAt atomic.Int64
}

// keyState is one fetched key set.
type keyState struct {
	keys    verifyKeys
	fetched time.Time
	// generation counts the changes of the keys: what was verified under
	// another generation is to be verified again.
	generation uint64
}

// NewIssuer checks the configuration. It fetches nothing: see Warm.
func NewIssuer(cfg IssuerConfig) (*Issuer, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("issuer %q: %w", cfg.Name, err)
	}
	i := &Issuer{cfg: cfg, fetch: cfg.local, now: cfg.Now}
	rest := time.Duration(0) // asking this process is no burden to anyone
	if cfg.Keys == nil {
		i.fetch, rest = newFetcher(cfg.URL, cfg.JWKS, cfg.HTTP).fetch, coolDown
	}
	i.keys = refresher{run: i.load, timeout: fetchTimeout, now: cfg.Now, gap: func(failures int) time.Duration {
		if failures == 0 || rest > 0 && i.fresh(i.now()) != nil {
			return rest
		}
		// An issuer that starts after us is found within a second or two; one
		// that stays away is asked no more often than a healthy one.
		return backoff(failures, coolDown)
	}}
	if cfg.Introspection != nil {
		var err error
		if i.introspection, err = newIntrospector(cfg); err != nil {
			return nil, fmt.Errorf("issuer %q: %w", cfg.Name, err)
		}
	}
	return i, nil
}

func (c *IssuerConfig) complete() error {
	if c.Name == "" {
		return errors.New("a name is needed")
	}
	if err := checkURL(c.URL); err != nil {
		return err
	}
	if c.JWKS != "" {
		if err := checkURL(c.JWKS); err != nil {
			return err
		}
	}
	if c.Audience == "" && !c.DangerouslyAnyAudience {
		return errors.New("an audience is needed: without it a token for anyone else would pass")
	}
	if c.Audience != "" && c.DangerouslyAnyAudience {
		return fmt.Errorf("audience %q and any audience contradict each other", c.Audience)
	}
	if c.Keys != nil && c.JWKS != "" {
		return fmt.Errorf("the keys cannot come both from this process and from %s", c.JWKS)
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{string(jose.ES256), string(jose.RS256)}
	}
	for _, alg := range c.Algorithms {
		if !asymmetric(alg) {
			return fmt.Errorf("algorithm %q is not accepted: use ES256, RS256 or another signature with a public key", alg)
		}
	}
	switch c.Profile {
	case "":
		c.Profile = RFC9068
	case RFC9068:
	case JWT:
		if len(c.Require) == 0 {
			return errors.New("profile jwt needs a required claim that ID tokens do not have, such as typ: Bearer")
		}
	default:
		return fmt.Errorf("profile %q is unknown: use rfc9068 or jwt", c.Profile)
	}
	if c.Profile == RFC9068 {
		c.ClientClaim, c.ScopeClaim = "client_id", "scope"
	}
	if c.ClientClaim == "" {
		c.ClientClaim = "azp"
	}
	if c.ScopeClaim == "" {
		c.ScopeClaim = "scope"
	}
	if err := checkDeclared(c.Claims); err != nil {
		return err
	}
	if c.Lifetime <= 0 {
		c.Lifetime = defaultLifetime
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// local takes the keys from this process.
func (c *IssuerConfig) local(ctx context.Context) (verifyKeys, time.Duration, error) {
	data, err := c.Keys(ctx)
	if err != nil {
		return nil, 0, err
	}
	keys, err := readKeys(data)
	return keys, localRefresh, err
}

func asymmetric(alg string) bool {
	return slices.Contains([]jose.SignatureAlgorithm{
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	}, jose.SignatureAlgorithm(alg))
}

// Name is what configuration calls the issuer.
func (i *Issuer) Name() string { return i.cfg.Name }

// Warm fetches the keys if there are none yet, and waits for them as long as
// ctx allows. An error says why they are missing; it is no reason not to
// start, since they are fetched again when needed.
func (i *Issuer) Warm(ctx context.Context) error {
	if i.fresh(i.now()) != nil {
		return nil
	}
	if err := i.keys.start().wait(ctx, fetchTimeout); err != nil {
		return fmt.Errorf("keys of issuer %q: %w", i.cfg.Name, err)
	}
	if _, err := i.keys.last(); err != nil {
		return fmt.Errorf("keys of issuer %q: %w", i.cfg.Name, err)
	}
	return nil
}

// KeyStatus is how an issuer's keys stand.
type KeyStatus struct {
	Keys    int
	Fetched time.Time // zero: never
	// Usable is false when there are no keys, or when they are too old to be
	// trusted.
	Usable bool
	// Err is why the last fetch failed, or nil.
	Err error
}

// Status tells how the keys stand, for readiness and metrics.
func (i *Issuer) Status() KeyStatus {
	_, err := i.keys.last()
	s := KeyStatus{Err: err, Usable: i.fresh(i.now()) != nil}
	if set := i.set.Load(); set != nil {
		s.Keys, s.Fetched = len(set.keys), set.fetched
	}
	return s
}

// load is one fetch.
func (i *Issuer) load(ctx context.Context) error {
	keys, fresh, err := i.fetch(ctx)
	if err != nil {
		return err
	}
	now := i.now()
	set := &keyState{keys: keys, fetched: now}
	if old := i.set.Load(); old != nil { // flights do not overlap: nobody else stores
		set.generation = old.generation
		if !old.keys.equal(keys) {
			set.generation++
		}
	}
	i.set.Store(set)
	// Jitter of a tenth keeps many gateways from asking at the same moment.
	jitter := time.Duration(rand.Int64N(int64(fresh)/5+1)) - fresh/10
	i.refreshAt.Store(now.Add(fresh + jitter).UnixNano())
	return nil
}

// refreshIfDue starts a fetch in the background when the keys have aged.
func (i *Issuer) refreshIfDue(now time.Time) {
	if due := i.refreshAt.Load(); due != 0 && now.UnixNano() >= due {
		i.keys.start()
	}
}

// fresh returns the keys unless they are too old to be believed.
func (i *Issuer) fresh(now time.Time) *keyState {
	if set := i.set.Load(); set != nil && now.Sub(set.fetched) < maxStale {
		return set
	}
	return nil
}

// key finds the key for kid, and the generation it is of. It waits for a fetch
// only when it has to: when there are no usable keys, or when kid is new and the
// cool-down over, and then beside a few others at most.
func (i *Issuer) key(ctx context.Context, kid string) (verifyKey, uint64, error) {
	if set := i.fresh(i.now()); set != nil {
		i.refreshIfDue(i.now())
		if key, found := set.keys[kid]; found {
			return key, set.generation, nil
		}
	}
	waited := i.await(ctx, i.keys.start())
	set := i.fresh(i.now())
	if set != nil {
		if key, found := set.keys[kid]; found {
			return key, set.generation, nil
		}
	}
	retry, err := i.keys.last()
	if waited != nil {
		err = waited
	}
	if err != nil || set == nil {
		// Not knowing is not "no": the token may be good.
		return verifyKey{}, 0, problem.New(problem.IssuerUnavailable, "").
			Because(fmt.Errorf("keys of issuer %q: %w", i.cfg.Name, err)).
			With("Retry-After", seconds(retry))
	}
	return verifyKey{}, 0, fmt.Errorf("issuer %q has no key %q", i.cfg.Name, kid)
}

// await waits for a fetch, unless enough others do. Whoever has a key that is
// known never comes here.
func (i *Issuer) await(ctx context.Context, f *flight) error {
	if f == nil {
		return nil
	}
	most := int32(newcomersWait)
	if i.fresh(i.now()) != nil {
		most = strangersWait
	}
	defer i.waiting.Add(-1)
	if i.waiting.Add(1) > most {
		return errCrowded
	}
	return f.wait(ctx, patience)
}

// seconds writes a wait for a Retry-After field: whole seconds, at least one.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(max(1, (d+time.Second-1)/time.Second)))
}
