package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// rsaBits is the size of new RSA keys: the least that RFC 7518 3.3 allows.
// Go leaves its fast path above it, and signing is the dear side of RSA.
const rsaBits = 2048

// Key is one signing key. The private half is only a crypto.Signer, so that a
// key may live in a token or a key service instead of in this process.
type Key struct {
	ID        string
	Algorithm jose.SignatureAlgorithm
	Signer    crypto.Signer
}

// Public is the key as the key set shows it.
func (k *Key) Public() jose.JSONWebKey { return shown(k.ID, k.Algorithm, k.Signer.Public()) }

func shown(id string, alg jose.SignatureAlgorithm, public crypto.PublicKey) jose.JSONWebKey {
	return jose.JSONWebKey{Key: public, KeyID: id, Algorithm: string(alg), Use: "sig"}
}

// generate makes a private key in this process.
func generate(alg jose.SignatureAlgorithm) (signer crypto.Signer, err error) {
	switch alg {
	case jose.ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.RS256:
		signer, err = rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		return nil, unknownAlgorithm(alg)
	}
	if err != nil {
		return nil, fmt.Errorf("make a signing key for %s: %w", alg, err)
	}
	return signer, nil
}

// publicHalf reads a stored key's public half and proves that it is what its
// row says: a row that was tampered with must stop the start, not show keys
// nobody made.
func publicHalf(stored StoredKey) (crypto.PublicKey, error) {
	public, err := x509.ParsePKIXPublicKey(stored.Public)
	if err != nil {
		return nil, fmt.Errorf("signing key %q is not readable: restore the key store", stored.ID)
	}
	if err := fits(public, jose.SignatureAlgorithm(stored.Algorithm)); err != nil {
		return nil, fmt.Errorf("signing key %q: %w", stored.ID, err)
	}
	id, err := thumbprint(public)
	if err != nil {
		return nil, err
	}
	if id != stored.ID {
		return nil, fmt.Errorf("signing key %q has the thumbprint %q: the key store was altered", stored.ID, id)
	}
	return public, nil
}

// fits reports whether a public key is one for the algorithm.
func fits(public crypto.PublicKey, alg jose.SignatureAlgorithm) error {
	switch alg {
	case jose.ES256:
		if key, ok := public.(*ecdsa.PublicKey); ok && key.Curve == elliptic.P256() {
			return nil
		}
	case jose.RS256:
		if key, ok := public.(*rsa.PublicKey); ok && key.N.BitLen() >= rsaBits {
			return nil
		}
	default:
		return unknownAlgorithm(alg)
	}
	return fmt.Errorf("a %T is no key for %s", public, alg)
}

// same reports whether two public keys are one.
func same(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

func unknownAlgorithm(alg jose.SignatureAlgorithm) error {
	return fmt.Errorf("signing algorithm %q is not offered: use ES256 or RS256", alg)
}

// thumbprint names a key by its RFC 7638 SHA-256 thumbprint, so that two keys
// never share a name and a name never moves to another key.
func thumbprint(public crypto.PublicKey) (string, error) {
	jwk := jose.JSONWebKey{Key: public}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("name a signing key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// PublicOf is a stored key as the key set shows it, whatever its state.
func PublicOf(stored StoredKey) (jose.JSONWebKey, error) {
	public, err := publicHalf(stored)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	return shown(stored.ID, jose.SignatureAlgorithm(stored.Algorithm), public), nil
}
