package keyring

import (
	"context"
	"slices"
	"sync"
	"time"
)

// State is where a key stands in its life.
type State string

// Exactly one key signs; keys that no longer sign stay published until the
// last token they signed has expired, and the one that signs next is
// published before it does, so that verifiers know it in time.
const (
	Next     State = "next"
	Current  State = "current"
	Previous State = "previous"
)

// StoredKey is a signing key as storage holds it.
type StoredKey struct {
	// ID is the kid: the RFC 7638 thumbprint of the public key.
	ID string
	// Algorithm is the one JWS algorithm the key is for: ES256 or RS256.
	Algorithm string
	State     State
	// Private is the private key, PKCS #8 in DER. It must rest where only
	// this process can read it.
	Private []byte
	Created time.Time
}

// Storage keeps the keys across restarts.
type Storage interface {
	// Keys returns all keys that are still published or about to be.
	Keys(ctx context.Context) ([]StoredKey, error)
	// AddKey stores one more key; an ID that is already there is an error.
	AddKey(ctx context.Context, key StoredKey) error
}

// Memory is storage that forgets: for an issuer that lives as long as a test.
// The zero value is ready.
type Memory struct {
	mu   sync.Mutex
	keys []StoredKey
}

// Keys implements Storage.
func (m *Memory) Keys(context.Context) ([]StoredKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.keys), nil
}

// AddKey implements Storage.
func (m *Memory) AddKey(_ context.Context, key StoredKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = append(m.keys, key)
	return nil
}
