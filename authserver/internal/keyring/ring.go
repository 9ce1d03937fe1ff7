// Package keyring holds the keys that sign tokens: which of them signs now,
// and which are shown to those who verify. It knows nothing of what is signed.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// loadTimeout bounds reading and writing the storage while a ring is made.
const loadTimeout = 10 * time.Second

// Config is what a ring is made of.
type Config struct {
	Storage Storage
	// Algorithm of the key that signs: ES256 (default) or RS256, for verifiers
	// that know nothing newer (RFC 9068 2.1 asks every one to know RS256).
	Algorithm jose.SignatureAlgorithm
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Ring is the set of signing keys. It is safe for concurrent use.
type Ring struct {
	current *Key
	set     jose.JSONWebKeySet
}

// New reads the keys from storage and, when none of them signs with the wanted
// algorithm, makes one and stores it first: a key that is used before it is
// kept would sign tokens that nobody can check after a restart.
func New(cfg Config) (*Ring, error) {
	if cfg.Storage == nil {
		return nil, errors.New("a key ring needs a storage")
	}
	if cfg.Algorithm == "" {
		cfg.Algorithm = jose.ES256
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()

	stored, err := cfg.Storage.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	if !slices.ContainsFunc(stored, func(k StoredKey) bool { return signs(k, cfg.Algorithm) }) {
		made, err := generate(cfg.Algorithm, cfg.Now())
		if err != nil {
			return nil, err
		}
		if err := cfg.Storage.AddKey(ctx, made); err != nil {
			return nil, fmt.Errorf("keep a new signing key: %w", err)
		}
		stored = append(stored, made)
	}
	return assemble(stored, cfg.Algorithm)
}

func signs(k StoredKey, alg jose.SignatureAlgorithm) bool {
	return k.State == Current && k.Algorithm == string(alg)
}

func assemble(stored []StoredKey, alg jose.SignatureAlgorithm) (*Ring, error) {
	// Newest first, so that the newest current key signs and key sets read the
	// same whatever order the storage has.
	stored = slices.Clone(stored)
	slices.SortStableFunc(stored, func(a, b StoredKey) int { return b.Created.Compare(a.Created) })

	ring := &Ring{}
	for _, s := range stored {
		key, err := parse(s)
		if err != nil {
			return nil, err
		}
		if ring.current == nil && signs(s, alg) {
			ring.current = key
		}
		ring.set.Keys = append(ring.set.Keys, key.Public())
	}
	return ring, nil
}

// Signer returns the key that signs now.
func (r *Ring) Signer() *Key { return r.current }

// Sign returns payload as a compact JWS (RFC 7515) of the current key, with
// typ in its header, and nothing else but alg and kid.
func (r *Ring) Sign(typ string, payload []byte) (string, error) {
	key := r.Signer()
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", key.ID)
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: key.Algorithm, Key: cryptosigner.Opaque(key.Signer),
	}, options)
	if err != nil {
		return "", fmt.Errorf("sign with key %q: %w", key.ID, err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign with key %q: %w", key.ID, err)
	}
	return signed.CompactSerialize()
}

// JWKS is the key set to publish: public halves only.
func (r *Ring) JWKS() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: slices.Clone(r.set.Keys)}
}
