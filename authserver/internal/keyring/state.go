package keyring

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// state is all that a ring knows, replaced as a whole.
type state struct {
	stored  []StoredKey
	opened  map[string]*pen // of the keys whose private half is wanted
	pen     *pen            // the current key's; nil when there is none
	closed  error           // why a key did not open
	shown   []jose.JSONWebKey
	json    []byte
	history map[string]PublicKey
}

func (s *state) set() jose.JSONWebKeySet { return jose.JSONWebKeySet{Keys: slices.Clone(s.shown)} }

// read makes the stored keys the ring's. It changes nothing in the storage;
// keys that are open stay open. One that does not open is an error, and yet
// what else is new is believed: a revocation must not wait for a vault.
func (r *Ring) read(ctx context.Context) ([]StoredKey, error) {
	stored, err := r.cfg.Storage.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	old := r.state.Load()
	if old == nil || old.closed != nil || !slices.EqualFunc(old.stored, stored, unchanged) {
		next, err := r.assemble(ctx, stored, old)
		if err != nil {
			return nil, err
		}
		r.state.Store(next)
		r.sight(stored)
		old = next
	}
	r.heard.Store(int64(time.Since(r.begun)))
	return stored, old.closed
}

// sighting is a key in a state.
type sighting struct {
	id    string
	state State
}

// sight notes since when each key is in its state, by a clock that nobody sets.
func (r *Ring) sight(stored []StoredKey) {
	now := time.Now()
	seen := make(map[sighting]time.Time, len(stored))
	for _, k := range stored {
		s := sighting{k.ID, k.State}
		if seen[s] = now; !r.seen[s].IsZero() {
			seen[s] = r.seen[s]
		}
	}
	r.seen = seen
}

// assemble builds a state.
func (r *Ring) assemble(ctx context.Context, stored []StoredKey, old *state) (*state, error) {
	s := &state{stored: stored, opened: map[string]*pen{}, history: map[string]PublicKey{}}
	for _, k := range slices.SortedFunc(slices.Values(stored), byAge) {
		public, err := publicHalf(k)
		if err != nil {
			return nil, err
		}
		alg := jose.SignatureAlgorithm(k.Algorithm)
		s.history[k.ID] = PublicKey{
			ID: k.ID, Algorithm: alg, Key: public, State: k.State,
			Activated: k.Activated, Retired: k.Retired, Revoked: k.Revoked,
		}
		if k.published() {
			s.shown = append(s.shown, shown(k.ID, alg, public))
		}
		if !k.signable() {
			continue
		}
		if old != nil && old.opened[k.ID] != nil {
			s.opened[k.ID] = old.opened[k.ID]
			continue
		}
		signer, err := r.cfg.Vault.Open(ctx, k.Sealed, public)
		if err != nil {
			s.closed = errors.Join(s.closed, fmt.Errorf("open signing key %q: %w", k.ID, err))
			continue
		}
		s.opened[k.ID] = newPen(&Key{ID: k.ID, Algorithm: alg, Signer: signer})
	}
	if current, _ := newest(stored, Current); current != nil {
		s.pen = s.opened[current.ID]
	}
	var err error
	s.json, err = json.Marshal(s.set())
	return s, err
}

// unchanged compares what changes in a key's life.
func unchanged(a, b StoredKey) bool {
	return a.ID == b.ID && a.State == b.State && a.Algorithm == b.Algorithm &&
		bytes.Equal(a.Public, b.Public) && bytes.Equal(a.Sealed, b.Sealed) &&
		a.Published.Equal(b.Published) && a.Activated.Equal(b.Activated) && a.Retired.Equal(b.Retired) &&
		a.Removed.Equal(b.Removed) && a.Revoked.Equal(b.Revoked) && a.Destroyed.Equal(b.Destroyed)
}
