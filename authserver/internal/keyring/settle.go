package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// interval is how often Run looks at storage and clock: what another
	// process revoked must be out of the key set within about a second.
	interval = time.Second
	// maxRounds bounds the changes made in one go. A new ring needs three
	// rounds: the first key, the next one, nothing.
	maxRounds = 8
	// behind is how far the clock may stand before the last stored time before
	// that is worth a complaint.
	behind = time.Minute
)

// Run makes each change when it is due, and takes over what other processes
// changed within a second, until ctx ends.
func (r *Ring) Run(ctx context.Context) {
	r.heard.Store(int64(time.Since(r.begun)))
	r.running.Store(true)
	defer r.running.Store(false)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, loadTimeout)
		err := r.settle(once, "")
		cancel()
		if ctx.Err() == nil {
			r.complain(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// complain logs a trouble once, and its end.
func (r *Ring) complain(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := ""
	if err != nil {
		said = err.Error()
	}
	if said == r.said {
		return
	}
	r.said = said
	if err != nil {
		r.cfg.Log.Error("the signing keys are not as they should be", "error", err)
	} else {
		r.cfg.Log.Info("the signing keys are as they should be again")
	}
}

// Reload takes over what other processes changed, now.
func (r *Ring) Reload(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.read(ctx)
	return err
}

// settle does what is due, until nothing is.
func (r *Ring) settle(ctx context.Context, alg jose.SignatureAlgorithm) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range maxRounds {
		// Read, and hence opened, before anything is made: a lost seal is not
		// papered over with a new one.
		stored, err := r.read(ctx)
		if err != nil {
			return err
		}
		done, err := r.once(ctx, stored, alg)
		if err != nil || len(done) == 0 {
			_, unread := r.read(ctx)
			return errors.Join(err, unread, r.destroy(ctx), r.late())
		}
	}
	return fmt.Errorf("the signing keys do not settle: they changed %d times in a row", maxRounds)
}

// once makes one set of changes. A key is made before the storage is locked,
// because that takes a process or, for RSA, a second; what to do is decided
// again under the lock.
func (r *Ring) once(ctx context.Context, stored []StoredKey, alg jose.SignatureAlgorithm) (done []Change, err error) {
	wanted := advance(stored, r.clock(), r.cfg.Terms, alg, r.held)
	if len(wanted) == 0 {
		return nil, nil
	}
	var made *StoredKey
	var failed error
	if i := slices.IndexFunc(wanted, func(c Change) bool { return c.Kind == Made }); i >= 0 {
		made, failed = r.make(ctx, wanted[i].Algorithm)
		if failed != nil && len(wanted) == 1 {
			return nil, failed
		}
	}
	var used bool
	err = r.cfg.Storage.ChangeKeys(ctx, func(keys []StoredKey) (after []StoredKey, err error) {
		after, done, used = apply(keys, advance(keys, r.clock(), r.cfg.Terms, alg, r.held), made, r.clock())
		return after, nil
	})
	if err != nil {
		return nil, errors.Join(failed, fmt.Errorf("store the signing keys: %w", err))
	}
	r.tell(done)
	if made != nil && !used { // another process was faster
		if public, err := publicHalf(*made); err == nil {
			failed = errors.Join(failed, r.cfg.Vault.Destroy(ctx, public))
		}
	}
	return done, failed
}

func (r *Ring) make(ctx context.Context, alg string) (*StoredKey, error) {
	sealed, public, err := r.cfg.Vault.Make(ctx, alg)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	if err := fits(public, jose.SignatureAlgorithm(alg)); err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	return describe(sealed, public, alg, r.clock())
}

func (r *Ring) tell(done []Change) {
	for _, c := range done {
		r.cfg.Log.Info("signing key", "change", string(c.Kind), "kid", c.ID, "algorithm", c.Algorithm)
		if r.cfg.Changed != nil {
			r.cfg.Changed(c)
		}
	}
}

// destroy has the vault forget the keys whose private half is erased from the
// storage. What fails is tried again next time.
func (r *Ring) destroy(ctx context.Context) error {
	var errs []error
	confirmed := map[string]bool{}
	for _, k := range r.state.Load().stored {
		if k.signable() || !k.Destroyed.IsZero() {
			continue
		}
		public, err := publicHalf(k)
		if err == nil {
			err = r.cfg.Vault.Destroy(ctx, public)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("destroy signing key %q: %w", k.ID, err))
			continue
		}
		confirmed[k.ID] = true
	}
	if len(confirmed) > 0 {
		errs = append(errs, r.cfg.Storage.ChangeKeys(ctx, func(keys []StoredKey) ([]StoredKey, error) {
			at := latest(keys, r.clock())
			for i := range keys {
				if confirmed[keys[i].ID] {
					keys[i].Destroyed = at
				}
			}
			return keys, nil
		}))
	}
	return errors.Join(errs...)
}

// clock is the time, without the monotonic reading: it would hide that the
// clock was set, and times are stored without it.
func (r *Ring) clock() time.Time { return r.cfg.Now().Round(0) }

// held tells for how long the ring has known a key in its state.
func (r *Ring) held(k *StoredKey) time.Duration {
	if since, ok := r.seen[sighting{k.ID, k.State}]; ok {
		return time.Since(since)
	}
	return 0
}

// late complains when nothing is done on time because the clock stands before
// what was stored: the clock is wrong now, or it was then.
func (r *Ring) late() error {
	now := r.clock()
	if last := latest(r.state.Load().stored, now); last.Sub(now) > behind {
		return fmt.Errorf("the clock stood at %s when a signing key last changed: no key changes by itself until then; "+
			"check the clock, then authserver keys rotate --now", last.UTC().Format(time.RFC3339))
	}
	return nil
}
