package keyring

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
)

// sealClear seals the private keys of a database from before there were vaults.
func (r *Ring) sealClear(ctx context.Context) error {
	isClear := func(k StoredKey) bool { return len(k.Clear) > 0 }
	stored, err := r.cfg.Storage.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read the signing keys: %w", err)
	}
	if !slices.ContainsFunc(stored, isClear) {
		return nil
	}
	vault, ok := r.cfg.Vault.(sealer)
	if !ok {
		return errors.New("there are signing keys in the clear, from an earlier version, and a signer process takes no keys in: " +
			"start with a seal file as well, and rotate twice")
	}
	return r.cfg.Storage.ChangeKeys(ctx, func(keys []StoredKey) ([]StoredKey, error) {
		for i := range keys {
			if !isClear(keys[i]) {
				continue // sealed all along, or by another process that was faster
			}
			if err := sealOne(vault, &keys[i]); err != nil {
				return nil, fmt.Errorf("seal signing key %q: %w", keys[i].ID, err)
			}
		}
		return keys, nil
	})
}

func sealOne(vault sealer, k *StoredKey) error {
	signer, err := parsePrivate(k.Clear, nil)
	if err != nil {
		return err
	}
	if k.Public, err = x509.MarshalPKIXPublicKey(signer.Public()); err != nil {
		return err
	}
	if _, err := publicHalf(*k); err != nil {
		return err
	}
	if k.signable() {
		if k.Sealed, err = vault.seal(k.Clear, signer.Public()); err != nil {
			return err
		}
	}
	k.Clear = nil
	return nil
}
