package keyring

import (
	"context"
	"crypto"
)

// Moving is a vault on its way from a seal file to another one: new keys are
// made in To, those sealed From still sign. After two rotations From is empty.
type Moving struct {
	From *Sealed
	To   Vault
}

var (
	_ Vault  = Moving{}
	_ sealer = Moving{}
)

// Make implements Vault.
func (m Moving) Make(ctx context.Context, alg string) ([]byte, crypto.PublicKey, error) {
	return m.To.Make(ctx, alg)
}

// Open implements Vault.
func (m Moving) Open(ctx context.Context, sealed []byte, public crypto.PublicKey) (crypto.Signer, error) {
	if len(sealed) > 0 && sealed[0] == sealVersion {
		return m.From.Open(ctx, sealed, public)
	}
	return m.To.Open(ctx, sealed, public)
}

// Destroy implements Vault.
func (m Moving) Destroy(ctx context.Context, public crypto.PublicKey) error {
	return m.To.Destroy(ctx, public)
}

func (m Moving) seal(private []byte, public crypto.PublicKey) ([]byte, error) {
	return m.From.seal(private, public)
}
