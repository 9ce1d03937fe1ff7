package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"portcullis/services/problem"
)

// Skew is how far clocks may differ, both ways.
const Skew = 30 * time.Second

const (
	defaultEntries = 16384
	maxEntries     = 1 << 20
)

// VerifierConfig is whose tokens are accepted.
type VerifierConfig struct {
	// Issuers, each with another URL.
	Issuers []*Issuer
	// CacheEntries bounds the verified tokens remembered; default 16384.
	CacheEntries int
}

// Verifier checks access tokens. It is safe for concurrent use.
type Verifier struct {
	issuers map[string]*Issuer // by URL
	cache   *cache
	// opaque is asked what a token is that is no JWT; nil: nobody.
	opaque *Issuer
}

// NewVerifier returns a verifier; it fetches nothing.
func NewVerifier(cfg VerifierConfig) (*Verifier, error) {
	if len(cfg.Issuers) == 0 {
		return nil, errors.New("a verifier needs at least one issuer")
	}
	if cfg.CacheEntries <= 0 {
		cfg.CacheEntries = defaultEntries
	}
	v := &Verifier{
		issuers: make(map[string]*Issuer, len(cfg.Issuers)),
		cache:   &cache{newTable[cached](min(cfg.CacheEntries, maxEntries))},
	}
	for _, i := range cfg.Issuers {
		if other, twice := v.issuers[i.cfg.URL]; twice {
			return nil, fmt.Errorf("issuers %q and %q have the same URL %q: a token could not tell which is meant", other.cfg.Name, i.cfg.Name, i.cfg.URL)
		}
		v.issuers[i.cfg.URL] = i
	}
	if asked := slices.DeleteFunc(slices.Clone(cfg.Issuers), func(i *Issuer) bool { return i.introspection == nil }); len(asked) == 1 {
		v.opaque = asked[0]
	}
	return v, nil
}

// Asking is the same verifier, with the tokens it has verified, that asks the
// issuer of a name what a token is that is no JWT; "" asks nobody, and such a
// token is refused. A new verifier asks the one issuer that has introspection,
// and nobody where several have: a token would be shown to an issuer that is none
// of its business.
func (v *Verifier) Asking(name string) (*Verifier, error) {
	asking := *v
	asking.opaque = nil
	if name == "" {
		return &asking, nil
	}
	for _, i := range v.issuers {
		if i.cfg.Name == name && i.introspection != nil {
			asking.opaque = i
			return &asking, nil
		}
	}
	return nil, fmt.Errorf("there is no issuer %q that can be asked about tokens", name)
}

// Verify checks a token as RFC 9068 4 and RFC 8725 ask and says who calls. A
// token it has seen in the last minute costs a hash and a look-up; that it has
// been revoked since is seen all the same. The error is a *problem.Problem:
// invalid_token, with the exact reason as its private cause, or
// issuer_unavailable when the keys or the revocations to check it are missing, or
// the issuer cannot say what it is.
func (v *Verifier) Verify(ctx context.Context, raw string, now time.Time) (*Principal, error) {
	if len(raw) > maxToken {
		return nil, invalid(fmt.Errorf("the token has %d bytes, more than %d", len(raw), maxToken))
	}
	key := v.cache.key(raw)
	if hit := v.cache.get(&key, now); hit != nil {
		hit.issuer.refreshIfDue(now)
		return hit.admit(ctx, now)
	}
	if v.opaque == nil {
		return v.verify(ctx, raw, key, now)
	}
	own := v.opaque.introspection.key(key)
	if hit := v.cache.get(&own, now); hit != nil {
		return hit.admit(ctx, now)
	}
	if looksJWT(raw) {
		return v.verify(ctx, raw, key, now)
	}
	return v.inspect(ctx, raw, own, now)
}

// inspect has the issuer say what an opaque token is.
func (v *Verifier) inspect(ctx context.Context, raw string, key digest, now time.Time) (*Principal, error) {
	found, err := v.opaque.introspection.inspect(ctx, raw, key, v.cache.stranger(&key, now))
	if err != nil {
		return nil, err
	}
	known := &entry[cached]{
		digest: key, until: found.until,
		value: cached{principal: found.principal, issuer: v.opaque, keyless: true, from: found.from},
	}
	v.cache.keep(known, now)
	return known.value.admit(ctx, now)
}

// verify takes the cheap checks first: what is expired, misaddressed or badly
// made costs no key and no cryptography.
func (v *Verifier) verify(ctx context.Context, raw string, key digest, now time.Time) (*Principal, error) {
	e, err := open(raw)
	if err != nil {
		return nil, invalid(err)
	}
	issuer, claims, err := v.issuer(e)
	if err != nil {
		return nil, invalid(err)
	}
	if err := issuer.accepts(e); err != nil {
		return nil, invalid(err)
	}
	principal, from, err := issuer.cfg.read(claims, now)
	if err != nil {
		return nil, invalid(err)
	}
	principal.KeyID = e.kid

	public, generation, err := issuer.key(ctx, e.kid)
	if err != nil {
		return nil, invalid(err)
	}
	if err := checkSignature(raw, e, public); err != nil {
		return nil, invalid(err)
	}

	until := min(principal.Expires.Add(Skew).UnixNano(), now.Add(maxCached).UnixNano())
	if x := issuer.introspection; x != nil && x.inquiry.Tokens == AllTokens {
		found, err := x.inspect(ctx, raw, x.key(key), v.cache.stranger(&key, now))
		if err == nil {
			err = principal.narrow(found.principal)
		}
		if err != nil {
			return nil, invalid(err)
		}
		until = min(until, found.until)
	}
	verified := &entry[cached]{
		digest: key, until: until,
		value: cached{
			principal: principal, issuer: issuer, generation: generation,
			from: from.Add(-Skew).UnixNano(),
		},
	}
	v.cache.keep(verified, now)
	return verified.value.admit(ctx, now)
}

// issuer reads the claims and finds who claims to have made them.
func (v *Verifier) issuer(e envelope) (*Issuer, members, error) {
	claims, err := object(e.payload, readAnyway()...)
	if err != nil {
		return nil, nil, fmt.Errorf("the token's claims: %w", err)
	}
	iss, err := claims.text("iss")
	if err != nil {
		return nil, nil, err
	}
	issuer, known := v.issuers[iss]
	if !known {
		return nil, nil, fmt.Errorf("iss %q is no issuer that is accepted here", iss)
	}
	return issuer, claims, nil
}

// accepts checks the header against the issuer's terms.
func (i *Issuer) accepts(e envelope) error {
	if !slices.Contains(i.cfg.Algorithms, e.alg) {
		return fmt.Errorf("alg %q is not accepted from issuer %q", e.alg, i.cfg.Name)
	}
	if e.kid == "" {
		return errors.New("the token's header: kid is missing")
	}
	if e.is("at+jwt") || i.cfg.Profile == JWT && e.is("", "jwt") {
		return nil
	}
	return fmt.Errorf("typ %q is no access token of issuer %q", e.typ, i.cfg.Name)
}

// checkSignature is the only place that believes a token. The algorithm is the
// key's: a token that says another was made to confuse (RFC 8725 2.1).
func checkSignature(raw string, e envelope, key verifyKey) error {
	if e.alg != string(key.alg) {
		return fmt.Errorf("alg %q is not that of key %q, %s", e.alg, e.kid, key.alg)
	}
	parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{key.alg})
	if err != nil {
		return fmt.Errorf("the token cannot be read: %w", err)
	}
	if _, err := parsed.Verify(key.public); err != nil {
		return errors.New("the signature is not that of the key")
	}
	return nil
}

func invalid(cause error) *problem.Problem {
	if p, ok := errors.AsType[*problem.Problem](cause); ok {
		return p
	}
	detail := ""
	switch { // the two reasons that honest clients meet, and can mend
	case errors.Is(cause, errExpired):
		detail = "The access token has expired."
	case errors.Is(cause, errRevoked):
		detail = "The access token has been revoked."
	}
	return problem.New(problem.InvalidToken, detail).Because(cause)
}
