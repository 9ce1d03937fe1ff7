package keyring

import (
	"context"
	"crypto"
	"crypto/cipher"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

const (
	// sealVersion begins what is sealed, so that another way can follow.
	sealVersion = 1
	// sealContext is authenticated with every private key, before its public
	// half: what was sealed for something else, or for another key, never opens
	// as this one.
	sealContext = "portcullis signing key v1"
)

// Sealed is a vault that encrypts private keys with AES-256-GCM under a key in
// a file. It is safe for concurrent use.
type Sealed struct {
	file string // empty: the key is in memory only

	mu   sync.Mutex
	aead cipher.AEAD // nil until the file was read or made
}

var (
	_ Vault  = (*Sealed)(nil)
	_ sealer = (*Sealed)(nil)
)

// NewSealed returns a vault whose key is in file: 32 bytes in base64, readable
// by its owner only. The first key that is made makes a missing file; a key
// that is there already needs the file it was sealed with.
func NewSealed(file string) (*Sealed, error) {
	if file == "" {
		return nil, errors.New("sealing the signing keys needs a file for the seal")
	}
	s := &Sealed{file: file}
	if err := s.read(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return s, nil
}

// Unkept returns a vault whose key ends with the process: for tests.
func Unkept() *Sealed {
	var key [sealBytes]byte
	_, _ = rand.Read(key[:]) // never fails
	aead, _ := newSeal(key[:])
	return &Sealed{aead: aead}
}

// Make implements Vault.
func (s *Sealed) Make(_ context.Context, alg string) ([]byte, crypto.PublicKey, error) {
	signer, err := generate(jose.SignatureAlgorithm(alg))
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return nil, nil, fmt.Errorf("encode a signing key for %s: %w", alg, err)
	}
	defer clear(private)
	sealed, err := s.seal(private, signer.Public())
	return sealed, signer.Public(), err
}

// seal encrypts a private key: the version, a nonce, and what GCM makes of it.
func (s *Sealed) seal(private []byte, public crypto.PublicKey) ([]byte, error) {
	aead, err := s.key(true)
	if err != nil {
		return nil, err
	}
	bound, err := boundTo(public)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(private)+aead.Overhead())
	sealed[0] = sealVersion
	_, _ = rand.Read(sealed[1:]) // never fails
	return aead.Seal(sealed, sealed[1:], private, bound), nil
}

// Open implements Vault.
func (s *Sealed) Open(_ context.Context, sealed []byte, public crypto.PublicKey) (crypto.Signer, error) {
	aead, err := s.key(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there are signing keys, and the file %q that they are sealed with is missing: restore it, "+
			"or revoke them to begin anew: %w", s.file, err)
	}
	if err != nil {
		return nil, err
	}
	bound, err := boundTo(public)
	if err != nil {
		return nil, err
	}
	if len(sealed) < 1+aead.NonceSize() || sealed[0] != sealVersion {
		return nil, errors.New("it is not sealed by a file: it may be in a signer process")
	}
	nonce, box := sealed[1:1+aead.NonceSize()], sealed[1+aead.NonceSize():]
	private, err := aead.Open(nil, nonce, box, bound)
	if err != nil {
		return nil, fmt.Errorf("it does not open with the seal in %q: it was sealed with another one, which you must restore, or it was altered", s.file)
	}
	defer clear(private)
	return parsePrivate(private, public)
}

// Destroy implements Vault: nothing is kept outside the storage.
func (s *Sealed) Destroy(context.Context, crypto.PublicKey) error { return nil }

// boundTo is the additional data of the key with this public half.
func boundTo(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encode a public key: %w", err)
	}
	return append([]byte(sealContext), der...), nil
}

// parsePrivate reads a private key, PKCS #8 in DER; it must be that of public
// unless that is nil.
func parsePrivate(der []byte, public crypto.PublicKey) (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("it is not readable as PKCS #8") // the error may quote the key
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("it is a %T, which cannot sign", parsed)
	}
	if public != nil && !same(signer.Public(), public) {
		return nil, errors.New("its private half is that of another key")
	}
	return signer, nil
}
