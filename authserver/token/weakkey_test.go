package token_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Keys that a set may hold by mistake, or because somebody could write to it.
func TestWeakKeysAreDropped(t *testing.T) {
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	strong, _ := rsa.GenerateKey(rand.Reader, 2048)
	short, _ := rsa.GenerateKey(rand.Reader, 2040)
	ed, edPrivate, _ := ed25519.GenerateKey(rand.Reader)
	good := jose.JSONWebKey{Key: p256.Public(), KeyID: "good", Algorithm: "ES256", Use: "sig"}
	withExponent := func(e ...byte) claims {
		return claims{"kty": "RSA", "kid": "k", "alg": "RS256", "n": b64(strong.N.Bytes()), "e": b64(e)}
	}
	even := slices.Clone(strong.N.Bytes())
	even[len(even)-1] &^= 1
	point, _ := p256.PublicKey.Bytes() // 4, x, y
	x, y := point[1:33], slices.Clone(point[33:])
	y[31] ^= 1
	for name, key := range map[string]any{
		"RSA of 2040 bits": jose.JSONWebKey{Key: short.Public(), KeyID: "k", Algorithm: "RS256"},
		"RSA with exponent 1, for which every text is its own signature": withExponent(1),
		"RSA with exponent 3":                      withExponent(3),
		"RSA with exponent 65535, below the usual": withExponent(0xff, 0xff),
		"RSA with an even exponent":                withExponent(1, 0, 2),
		"RSA with an exponent of 33 bits":          withExponent(2, 0, 0, 0, 1),
		"RSA with an exponent of 8 KiB":            withExponent(make([]byte, 8<<10)...),
		"RSA with an even modulus":                 claims{"kty": "RSA", "kid": "k", "alg": "RS256", "n": b64(even), "e": "AQAB"},
		"RSA of 16,384 bits":                       claims{"kty": "RSA", "kid": "k", "alg": "RS256", "n": b64(append(slices.Repeat([]byte{0xff}, 2047), 1)), "e": "AQAB"},
		"a private RSA key":                        jose.JSONWebKey{Key: strong, KeyID: "k", Algorithm: "RS256"},
		"a point that is not on its curve":         claims{"kty": "EC", "kid": "k", "crv": "P-256", "x": b64(x), "y": b64(y)},
		"the point at nowhere":                     claims{"kty": "EC", "kid": "k", "crv": "P-256", "x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))},
		"a point of another curve":                 claims{"kty": "EC", "kid": "k", "crv": "P-384", "x": b64(x), "y": b64(point[33:])},
		"a curve nobody asked for":                 claims{"kty": "EC", "kid": "k", "crv": "secp256k1", "x": b64(x), "y": b64(point[33:])},
		"P-384 said to be for ES256":               jose.JSONWebKey{Key: p384.Public(), KeyID: "k", Algorithm: "ES256"},
		"a private key of Ed25519":                 jose.JSONWebKey{Key: edPrivate, KeyID: "k", Algorithm: "EdDSA"},
		"a key that is for signing alone":          claims{"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": b64(ed), "key_ops": []string{"sign"}},
		"a symmetric key":                          claims{"kty": "oct", "kid": "k", "alg": "HS256", "k": b64(x)},
	} {
		t.Run(name, func(t *testing.T) {
			status, err := warm(t, serves(t, func(w http.ResponseWriter) { fmt.Fprint(w, set(good, key)) }))
			if err != nil || status.Keys != 1 {
				t.Errorf("%d keys, %v", status.Keys, err)
			}
		})
	}
	status, err := warm(t, serves(t, func(w http.ResponseWriter) {
		fmt.Fprint(w, set(good, withExponent(1, 0, 1), claims{"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": b64(ed), "key_ops": []string{"verify"}}))
	}))
	if err != nil || status.Keys != 3 {
		t.Errorf("of three strong keys %d are taken: %v", status.Keys, err)
	}
}

// Anybody can sign for some points of Ed25519: what such a key adds to the check
// vanishes. The attack is carried out, so that the list of them is shown to be
// right, and the keys are dropped.
func TestPointsOfLowOrderForWhichAnybodyCanSignAreDropped(t *testing.T) {
	seed := make([]byte, 32)
	_, _ = rand.Read(seed)
	forger := ed25519.NewKeyFromSeed(seed)
	// The forger's own scalar and point: s and R = sB.
	h := sha512.Sum512(seed)
	h[0] &= 248
	h[31] = h[31]&63 | 64
	scalar := slices.Clone(h[:32])
	slices.Reverse(scalar)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := new(big.Int).Mod(new(big.Int).SetBytes(scalar), order).FillBytes(make([]byte, 32))
	slices.Reverse(s)
	signature := append(slices.Clone(forger.Public().(ed25519.PublicKey)), s...)

	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	good := jose.JSONWebKey{Key: p256.Public(), KeyID: "good", Algorithm: "ES256", Use: "sig"}
	for _, y := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		for _, sign := range []byte{0, 0x80} {
			key, _ := hex.DecodeString(y)
			key[31] |= sign
			forged := false
			for n := 0; n < 400 && !forged; n++ {
				forged = ed25519.Verify(key, fmt.Append(nil, "let me in ", n), signature)
			}
			if !forged {
				t.Errorf("nobody can sign for %x", key)
			}
			status, err := warm(t, serves(t, func(w http.ResponseWriter) {
				fmt.Fprint(w, set(good, claims{"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": b64(key)}))
			}))
			if err != nil || status.Keys != 1 {
				t.Errorf("%x: %d keys, %v", key, status.Keys, err)
			}
		}
	}
}
