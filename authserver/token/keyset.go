package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	maxKeys = 32 // an issuer has two or three; Entra about ten
	minRSA  = 2048
	maxRSA  = 8192 // verification time grows with the square of the size
	// maxExponent keeps RSA verification cheap: 65537 is what everyone uses.
	maxExponent = 1 << 31
)

// verifyKey is a public key and the one algorithm it may be used with (RFC
// 8725 3.1): a token never chooses how its signature is checked.
type verifyKey struct {
	alg    jose.SignatureAlgorithm
	public crypto.PublicKey
}

type verifyKeys map[string]verifyKey

// readKeys takes the keys that can verify tokens from a JWK set. What cannot be
// used is left out, as RFC 7517 5 asks, so that an issuer may publish keys of
// kinds we do not know. What should never be public (a symmetric or a private
// key) is left out as well: everyone who read the set could sign with it.
func readKeys(data []byte) (verifyKeys, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("the answer is not a JSON key set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys, more than %d", len(set.Keys), maxKeys)
	}
	keys := make(verifyKeys, len(set.Keys))
	for _, raw := range set.Keys {
		kid, key, ok := readKey(raw)
		if !ok {
			continue
		}
		if _, twice := keys[kid]; twice {
			return nil, fmt.Errorf("the key set has two keys %q", kid)
		}
		keys[kid] = key
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key that can verify tokens")
	}
	return keys, nil
}

func readKey(raw []byte) (kid string, key verifyKey, ok bool) {
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(raw, &jwk); err != nil {
		return "", verifyKey{}, false
	}
	if jwk.KeyID == "" || len(jwk.KeyID) > maxKeyID || jwk.Use != "" && jwk.Use != "sig" {
		return "", verifyKey{}, false
	}
	alg := jose.SignatureAlgorithm(jwk.Algorithm)
	if alg == "" {
		alg = usual(jwk.Key)
	}
	if !suits(jwk.Key, alg) {
		return "", verifyKey{}, false
	}
	return jwk.KeyID, verifyKey{alg, jwk.Key}, true
}

// usual is the algorithm of a key whose alg is left out, as Entra does: that of
// its curve, or RS256, the one that every issuer with RSA keys has.
func usual(public crypto.PublicKey) jose.SignatureAlgorithm {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return jose.RS256
	case ed25519.PublicKey:
		return jose.EdDSA
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return jose.ES256
		case elliptic.P384():
			return jose.ES384
		case elliptic.P521():
			return jose.ES512
		}
	}
	return ""
}

// suits knows public keys only: a private or symmetric one suits nothing.
func suits(public crypto.PublicKey, alg jose.SignatureAlgorithm) bool {
	if key, ok := public.(*rsa.PublicKey); ok {
		switch alg {
		case jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512:
			bits := key.N.BitLen()
			return bits >= minRSA && bits <= maxRSA && key.E <= maxExponent
		default:
			return false
		}
	}
	return alg != "" && alg == usual(public)
}

// equal tells whether two sets verify exactly the same tokens.
func (k verifyKeys) equal(other verifyKeys) bool {
	return maps.EqualFunc(k, other, func(a, b verifyKey) bool {
		comparable, ok := a.public.(interface{ Equal(crypto.PublicKey) bool })
		return ok && a.alg == b.alg && comparable.Equal(b.public)
	})
}
