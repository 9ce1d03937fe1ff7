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
	// generation of the issuer's keys that verified the token.
	generation uint64
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
	if keys := e.value.issuer.fresh(now); keys == nil || keys.generation != e.value.generation {
		return nil
	}
	return &e.value
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
