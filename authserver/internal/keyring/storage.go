package keyring

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"time"
)

// State is where a key stands in its life.
type State string

// One key signs; keys that no longer sign stay published until the last token
// they signed has expired, and the one that signs next is published before it
// does, so that verifiers know it in time. Of a key that is gone only the
// public half remains, for what was signed to be kept.
const (
	Next     State = "next"
	Current  State = "current"
	Previous State = "previous"
	Gone     State = "gone"
)

// StoredKey is a signing key as storage holds it. Times are whole milliseconds;
// a zero one has not come.
type StoredKey struct {
	// ID is the kid: the RFC 7638 thumbprint of the public key.
	ID string
	// Algorithm is the one JWS algorithm the key is for: ES256 or RS256.
	Algorithm string
	State     State
	// Public is the public key, SubjectPublicKeyInfo in DER.
	Public []byte
	// Sealed is the private half as the vault gave it; empty once destroyed.
	Sealed []byte
	// Clear is the private key, PKCS #8 in DER, of a database from before there
	// were vaults. The first ring that opens it seals it.
	Clear []byte

	Created   time.Time
	Published time.Time // in the key set
	Activated time.Time // began to sign
	Retired   time.Time // no longer signs
	Removed   time.Time // out of the key set
	Revoked   time.Time // removed because it cannot be trusted
	// Destroyed is when the vault confirmed that the private half is no more.
	Destroyed time.Time
}

// describe is a new key as storage holds it.
func describe(sealed []byte, public crypto.PublicKey, alg string, now time.Time) (*StoredKey, error) {
	id, err := thumbprint(public)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encode signing key %q: %w", id, err)
	}
	return &StoredKey{
		ID: id, Algorithm: alg, State: Next, Public: der, Sealed: sealed,
		Created: now.Truncate(time.Millisecond),
	}, nil
}

// published reports whether the key belongs in the key set.
func (k *StoredKey) published() bool { return k.State != Gone }

// signable reports whether the private half is still wanted.
func (k *StoredKey) signable() bool { return k.State == Next || k.State == Current }

// Storage keeps the keys across restarts.
type Storage interface {
	// Keys returns all keys, also those that are gone.
	Keys(ctx context.Context) ([]StoredKey, error)
	// ChangeKeys gives all keys to change, and stores what it returns: keys
	// that are new or differ, none is ever deleted. No other process changes a
	// key in between. An error of change is returned and stores nothing.
	ChangeKeys(ctx context.Context, change func([]StoredKey) ([]StoredKey, error)) error
}

// Memory is storage that forgets: for an issuer that lives as long as a test.
// The zero value is ready.
type Memory struct {
	mu    sync.Mutex
	keys  []StoredKey
	vault *Sealed
}

// Keys implements Storage.
func (m *Memory) Keys(context.Context) ([]StoredKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.keys), nil
}

// ChangeKeys implements Storage.
func (m *Memory) ChangeKeys(_ context.Context, change func([]StoredKey) ([]StoredKey, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	wanted, err := change(slices.Clone(m.keys))
	if err != nil {
		return err
	}
	if len(wanted) < len(m.keys) {
		return fmt.Errorf("%d of %d keys are missing from a change, and none is ever deleted", len(m.keys)-len(wanted), len(m.keys))
	}
	m.keys = slices.Clone(wanted)
	return nil
}

// ownVault is the vault of rings that name none: as forgetful as the storage,
// and shared by all rings over it.
func (m *Memory) ownVault() *Sealed {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.vault == nil {
		m.vault = Unkept()
	}
	return m.vault
}
