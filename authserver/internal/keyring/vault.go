package keyring

import (
	"context"
	"crypto"
)

// Vault keeps private halves.
type Vault interface {
	// Make makes a key pair for a JWS algorithm, and returns what Open needs to
	// sign with it. That goes into the storage.
	Make(ctx context.Context, alg string) (sealed []byte, public crypto.PublicKey, err error)
	// Open returns what signs with the private half of public. It fails when
	// sealed is not of that key.
	Open(ctx context.Context, sealed []byte, public crypto.PublicKey) (crypto.Signer, error)
	// Destroy makes sure that nothing of the private half of public is left
	// outside the storage, from which it is erased before. It may be repeated.
	Destroy(ctx context.Context, public crypto.PublicKey) error
}

// sealer is a vault that takes in keys made before there was one.
type sealer interface {
	seal(private []byte, public crypto.PublicKey) ([]byte, error)
}
