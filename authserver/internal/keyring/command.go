package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Rotate makes the next key sign, also from a process that cannot open it. A
// *TooSoonError says that it is not published long enough, unless force. The
// running service makes the key that follows.
func Rotate(ctx context.Context, storage Storage, now time.Time, terms Terms, force bool) (done []Change, err error) {
	if terms, err = terms.filled(); err != nil {
		return nil, err
	}
	return command(ctx, storage, now, func(keys []StoredKey) ([]Change, error) { return rotate(keys, now, terms, force) })
}

// Revoke takes a key that cannot be trusted out of the key set, whatever tokens
// of it live; the next key signs at once if it was the current one. record, if
// not nil, is called before: it tells verifiers that hold the key, and has to
// be believed until the time it is given.
func Revoke(ctx context.Context, storage Storage, now time.Time, terms Terms, kid string,
	record func(ctx context.Context, kid string, until time.Time) error,
) (done []Change, err error) {
	if terms, err = terms.filled(); err != nil {
		return nil, err
	}
	keys, err := storage.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	if _, err := revoke(keys, kid); err != nil {
		return nil, err
	}
	if record != nil {
		if err := record(ctx, kid, latest(keys, now).Add(terms.Keep)); err != nil {
			return nil, fmt.Errorf("record that signing key %q is revoked: %w", kid, err)
		}
	}
	return command(ctx, storage, now, func(keys []StoredKey) ([]Change, error) { return revoke(keys, kid) })
}

func command(ctx context.Context, storage Storage, now time.Time, plan func([]StoredKey) ([]Change, error)) (done []Change, err error) {
	err = storage.ChangeKeys(ctx, func(keys []StoredKey) ([]StoredKey, error) {
		wanted, err := plan(keys)
		if err != nil {
			return nil, err
		}
		var after []StoredKey
		after, done, _ = apply(keys, wanted, nil, now)
		return after, nil
	})
	return done, err
}

// Rotate is Rotate on the ring's storage, in force here when it returns.
func (r *Ring) Rotate(ctx context.Context, force bool) error {
	return r.command(ctx, func(now time.Time) ([]Change, error) {
		return Rotate(ctx, r.cfg.Storage, now, r.cfg.Terms, force)
	})
}

// Revoke is Revoke on the ring's storage, in force here when it returns.
func (r *Ring) Revoke(ctx context.Context, kid string, record func(ctx context.Context, kid string, until time.Time) error) error {
	return r.command(ctx, func(now time.Time) ([]Change, error) {
		return Revoke(ctx, r.cfg.Storage, now, r.cfg.Terms, kid, record)
	})
}

func (r *Ring) command(ctx context.Context, do func(time.Time) ([]Change, error)) error {
	r.mu.Lock()
	done, err := do(r.clock())
	r.mu.Unlock()
	if err != nil {
		return err
	}
	r.tell(done)
	return r.settle(ctx, "")
}

// Listed is a key as an operator sees it.
type Listed struct {
	ID        string    `json:"kid"`
	Algorithm string    `json:"algorithm"`
	State     State     `json:"state"`
	Revoked   bool      `json:"revoked,omitempty"`
	Since     time.Time `json:"since"`
	// Then is what happens to it next, and When, if time alone decides.
	Then Kind      `json:"then,omitempty"`
	When time.Time `json:"when,omitzero"`
}

// List tells how keys stand: those in the key set, and with all also those that
// are gone. Those that sign, or will, come first.
func List(stored []StoredKey, terms Terms, all bool) ([]Listed, error) {
	terms, err := terms.filled()
	if err != nil {
		return nil, err
	}
	current, _ := newest(stored, Current)
	next, _ := newest(stored, Next)
	var due time.Time
	if current != nil && next != nil {
		due = signsFrom(current, next, terms)
	}
	order := []State{Next, Current, Previous, Gone}
	sorted := slices.SortedFunc(slices.Values(stored), func(a, b StoredKey) int {
		if d := slices.Index(order, a.State) - slices.Index(order, b.State); d != 0 {
			return d
		}
		return byAge(a, b)
	})
	listed := make([]Listed, 0, len(sorted))
	for _, k := range sorted {
		l := Listed{ID: k.ID, Algorithm: k.Algorithm, State: k.State, Revoked: !k.Revoked.IsZero()}
		switch k.State {
		case Next:
			l.Since, l.Then, l.When = k.Published, Promoted, due
		case Current:
			l.Since, l.Then, l.When = k.Activated, Retired, due
		case Previous:
			l.Since, l.Then, l.When = k.Retired, Removed, k.Retired.Add(terms.Keep)
		case Gone:
			if l.Since = k.Removed; !all {
				continue
			}
		default:
			return nil, errors.New("signing key " + k.ID + " has the unknown state " + string(k.State))
		}
		listed = append(listed, l)
	}
	return listed, nil
}
