package main

import (
	"github.com/spf13/pflag"

	"portcullis/authserver/internal/keyring"
)

// vault is where the flags of serve say that private keys are.
type vault struct {
	seal, signer string
}

func (v *vault) flags(f *pflag.FlagSet) {
	f.StringVar(&v.seal, "seal", "", "the file that the signing keys in the database are sealed with; made with the first key (default: the data folder's name with .seal)")
	f.StringVar(&v.signer, "signer", "", "the socket of an authserver signer that has the keys instead; with --seal, for the time of moving there")
}

// open returns the vault of the database in the folder data.
func (v *vault) open(data string) (keyring.Vault, error) {
	if v.signer == "" {
		file := v.seal
		if file == "" {
			file = data + ".seal" // beside the folder, so that a copy of that is not enough
		}
		return keyring.NewSealed(file)
	}
	remote, err := keyring.DialSigner(v.signer)
	if err != nil || v.seal == "" {
		return remote, err
	}
	file, err := keyring.NewSealed(v.seal)
	if err != nil {
		return nil, err
	}
	return keyring.Moving{From: file, To: remote}, nil
}
