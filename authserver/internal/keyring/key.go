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
	"time"

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
func (k *Key) Public() jose.JSONWebKey {
	return jose.JSONWebKey{
		Key: k.Signer.Public(), KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig",
	}
}

func generate(alg jose.SignatureAlgorithm, now time.Time) (StoredKey, error) {
	var signer crypto.Signer
	var err error
	switch alg {
	case jose.ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.RS256:
		signer, err = rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		return StoredKey{}, unknownAlgorithm(alg)
	}
	if err != nil {
		return StoredKey{}, fmt.Errorf("make a signing key for %s: %w", alg, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return StoredKey{}, fmt.Errorf("encode a signing key for %s: %w", alg, err)
	}
	id, err := thumbprint(signer.Public())
	if err != nil {
		return StoredKey{}, err
	}
	return StoredKey{ID: id, Algorithm: string(alg), State: Current, Private: der, Created: now}, nil
}

// parse reads a stored key and proves that it is what its row says: a row that
// was tampered with must stop the start, not sign tokens nobody can check.
func parse(stored StoredKey) (*Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(stored.Private)
	if err != nil {
		return nil, fmt.Errorf("signing key %q is not readable as PKCS #8: restore the key store or remove the key", stored.ID)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("signing key %q is a %T, which cannot sign", stored.ID, parsed)
	}
	alg := jose.SignatureAlgorithm(stored.Algorithm)
	if err := fits(signer.Public(), alg); err != nil {
		return nil, fmt.Errorf("signing key %q: %w", stored.ID, err)
	}
	id, err := thumbprint(signer.Public())
	if err != nil {
		return nil, err
	}
	if id != stored.ID {
		return nil, fmt.Errorf("signing key %q has the thumbprint %q: the key store was altered", stored.ID, id)
	}
	return &Key{ID: id, Algorithm: alg, Signer: signer}, nil
}

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
