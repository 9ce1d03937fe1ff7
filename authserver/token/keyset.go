package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	maxKeys = 32 // an issuer has two or three; Entra about ten
	minRSA  = 2048
	maxRSA  = 8192 // verification time grows with the square of the size
	// RSA exponents: 65537 is what everyone uses. One below is what old attacks
	// need (with 1, every text is its own signature), and verification grows dear
	// with one far above; FIPS 186-5 A.1.1 has the same lower bound.
	minExponent = 1<<16 + 1
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
	if jwk.KeyID == "" || len(jwk.KeyID) > maxKeyID || jwk.Use != "" && jwk.Use != "sig" || !verifies(raw) {
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

// verifies reports whether a key's key_ops, if it has any, let it verify (RFC 7517
// 4.3).
func verifies(raw []byte) bool {
	var key struct {
		Operations []string `json:"key_ops"`
	}
	return json.Unmarshal(raw, &key) == nil && (key.Operations == nil || slices.Contains(key.Operations, "verify"))
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
			return bits >= minRSA && bits <= maxRSA && key.N.Bit(0) == 1 && key.E >= minExponent && key.E <= maxExponent && key.E%2 == 1
		default:
			return false
		}
	}
	if key, ok := public.(ed25519.PublicKey); ok && isLowOrder(key) {
		return false
	}
	return alg != "" && alg == usual(public)
}

// isLowOrder reports whether a key is one of the points for which anyone can sign:
// the key's part of the equation vanishes for every eighth text or more (RFC 8032
// 5.1.7 leaves the check to us, and so does crypto/ed25519).
func isLowOrder(key ed25519.PublicKey) bool {
	y := [ed25519.PublicKeySize]byte(key)
	y[31] &= 0x7f // x's sign
	return slices.Contains(lowOrder(), hex.EncodeToString(y[:]))
}

// lowOrder are the y of all points whose order divides eight, in every encoding
// that is decoded: also p and p+1, which stand for 0 and 1.
func lowOrder() []string {
	return []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	}
}

// equal reports whether two sets verify exactly the same tokens.
func (k verifyKeys) equal(other verifyKeys) bool {
	return maps.EqualFunc(k, other, func(a, b verifyKey) bool {
		comparable, ok := a.public.(interface{ Equal(crypto.PublicKey) bool })
		return ok && a.alg == b.alg && comparable.Equal(b.public)
	})
}
