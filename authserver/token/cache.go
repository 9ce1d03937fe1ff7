package token

import (
	"context"
	"sync/atomic"
	"time"
)

// maxCached bounds how long a verification is trusted without a new look at the
// token.
const maxCached = time.Minute

// cache remembers verified tokens.
type cache struct{ table[cached] }

// cached is a verification: what it found, and what it rests on.
type cached struct {
	principal *Principal
	issuer    *Issuer
	// generation of the issuer's keys that verified the token; keyless tokens have
	// none: the issuer was asked.
	generation uint64
	keyless    bool
	// from is the nanosecond of Unix time from which a new verification would
	// find the same.
	from int64
	// passed is the generation of the issuer's revocations that do not hold
	// the token; 0 before it was first compared with them.
	passed atomic.Uint64
}

// get returns what is known of a token that is good at now, or nil.
func (c *cache) get(key *digest, now time.Time) *cached {
	e := c.find(key)
	if e == nil {
		return nil
	}
	if at := now.UnixNano(); at < e.value.from || at >= e.until {
		return nil
	}
	if !e.value.keyless {
		if keys := e.value.issuer.fresh(now); keys == nil || keys.generation != e.value.generation {
			return nil
		}
	}
	e.use()
	return &e.value
}

// keep remembers a verified token; nothing else ever enters the cache.
func (c *cache) keep(e *entry[cached], now time.Time) {
	p := e.value.principal
	e.subject, e.client = c.of(p.Issuer, p.Subject), c.of(p.Issuer, p.Client)
	c.put(e, now.UnixNano())
}

// stranger reports whether a token was not known to be good until a moment ago.
func (c *cache) stranger(key *digest, now time.Time) bool {
	e := c.find(key)
	return e == nil || !now.Before(e.value.principal.Expires)
}

// admit is the last look before a verified token passes: whether it has been
// revoked. A revoked token stays remembered, so that sending it again and again
// costs us no signature.
func (c *cached) admit(ctx context.Context, now time.Time) (*Principal, error) {
	if r := c.issuer.cfg.Revocations; r != nil {
		if err := r.pass(ctx, c.principal, &c.passed, now); err != nil {
			return nil, invalid(err)
		}
	}
	return c.principal, nil
}
