package keyring

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// loadTimeout bounds reading and writing the storage while a ring is made.
const loadTimeout = 10 * time.Second

// Config is what a ring is made of.
type Config struct {
	Storage Storage
	// Vault keeps the private halves. Only a ring over Memory needs none.
	Vault Vault
	// Algorithm of new keys: ES256 (default) or RS256, for verifiers that know
	// nothing newer (RFC 9068 2.1 asks every one to know RS256). Where keys of
	// another one are in use it takes over once it has been published for
	// Publish. Empty keeps what is in use.
	Algorithm jose.SignatureAlgorithm
	// Terms: how long a key is what.
	Terms
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Changed, if set, is told of each change this ring made, once it is
	// stored; not of those by other processes. It must not block.
	Changed func(Change)
	// Log takes diagnostics; nil keeps silent.
	Log *slog.Logger
}

// Ring is the set of signing keys. It is safe for concurrent use.
type Ring struct {
	cfg   Config
	begun time.Time
	state atomic.Pointer[state]
	// heard is when the storage was last read, in nanoseconds after begun: time
	// that passes whatever the clock says.
	heard   atomic.Int64
	running atomic.Bool

	mu   sync.Mutex // one change or reload at a time; guards what follows
	seen map[sighting]time.Time
	said string // what was last complained of
}

// New reads the keys from storage and does what is due: keys that are missing
// are made, and stored before they sign, because a key that is used before it
// is kept would sign tokens that nobody can check after a restart.
func New(cfg Config) (*Ring, error) {
	if cfg.Storage == nil {
		return nil, errors.New("a key ring needs a storage")
	}
	if cfg.Vault == nil {
		forgetful, ok := cfg.Storage.(interface{ ownVault() *Sealed })
		if !ok {
			return nil, errors.New("a key ring over a storage that lasts needs a vault")
		}
		cfg.Vault = forgetful.ownVault()
	}
	if a := cfg.Algorithm; a != "" && a != jose.ES256 && a != jose.RS256 {
		return nil, unknownAlgorithm(a)
	}
	var err error
	if cfg.Terms, err = cfg.Terms.filled(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	r := &Ring{cfg: cfg, begun: time.Now()}
	if err := r.sealClear(ctx); err != nil {
		return nil, err
	}
	if err := r.settle(ctx, cfg.Algorithm); err != nil {
		return nil, err
	}
	return r, nil
}

var errNoKey = errors.New("no key signs now: the last one was revoked, and no other could be made")

// Signer returns the key that signs now; nil while there is none, because it
// was revoked and no other could be had.
func (r *Ring) Signer() *Key {
	if pen := r.state.Load().pen; pen != nil {
		return pen.Key
	}
	return nil
}

// Sign returns payload as a compact JWS (RFC 7515) of the current key, with
// typ in its header, and nothing else but alg and kid.
func (r *Ring) Sign(typ string, payload []byte) (string, error) {
	if r.running.Load() && time.Since(r.begun)-time.Duration(r.heard.Load()) > deaf {
		return "", fmt.Errorf("the signing keys could not be read for %v: the current one may have been revoked", deaf)
	}
	pen := r.state.Load().pen
	err := errNoKey
	if pen != nil {
		var signed string
		if signed, err = pen.write(typ, payload); err == nil {
			return signed, nil
		}
	}
	// Another process may have retired the key, and a signer process knows it
	// no more.
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	if again := r.Reload(ctx); again != nil {
		return "", errors.Join(err, again)
	}
	if now := r.state.Load().pen; now != nil && now != pen {
		return now.write(typ, payload)
	}
	return "", err
}

// Algorithm is the JWS algorithm that signs now; empty while there is no key.
func (r *Ring) Algorithm() string {
	if key := r.Signer(); key != nil {
		return string(key.Algorithm)
	}
	return ""
}

// JWKS is the key set to publish: public halves only, youngest first.
func (r *Ring) JWKS() jose.JSONWebKeySet { return r.state.Load().set() }

// JWKSJSON is the key set in JSON. It must not be changed.
func (r *Ring) JWKSJSON() []byte { return r.state.Load().json }

// PublicKey is what remains of a key for ever.
type PublicKey struct {
	ID        string
	Algorithm jose.SignatureAlgorithm
	Key       crypto.PublicKey
	State     State
	// Activated and Retired bound when it signed; a zero Retired is "still".
	Activated, Retired time.Time
	// Revoked is zero unless the key was: whoever stole it may have signed
	// anything with it, also in the past's name.
	Revoked time.Time
}

// HistoryKey returns a key by its kid, also one that is gone: for signatures
// that outlive the key set. It vouches for nothing that a client presents.
func (r *Ring) HistoryKey(kid string) (PublicKey, bool) {
	key, ok := r.state.Load().history[kid]
	return key, ok
}
