package trial

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// Keys are the keys of all issuers of a trial: one for each issuer and
// algorithm, made when it is first needed. They sign nothing that anybody else
// would believe. It is safe for concurrent use.
type Keys struct {
	mu   sync.Mutex
	made map[keyName]jose.JSONWebKey
}

type keyName struct {
	issuer    string
	algorithm jose.SignatureAlgorithm
}

// rsaBits is the least that verifiers take.
const rsaBits = 2048

// NewKeys returns no key yet.
func NewKeys() *Keys { return &Keys{made: map[keyName]jose.JSONWebKey{}} }

// set gives the public keys of an issuer as a key set (RFC 7517).
func (k *Keys) set(issuer string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
		for name, key := range k.made {
			if name.issuer == issuer {
				set.Keys = append(set.Keys, key.Public())
			}
		}
		if len(set.Keys) == 0 { // a set without a key would be taken for a failure
			key, err := k.key(issuer, jose.ES256)
			if err != nil {
				return nil, err
			}
			set.Keys = append(set.Keys, key.Public())
		}
		slices.SortFunc(set.Keys, func(a, b jose.JSONWebKey) int { return strings.Compare(a.KeyID, b.KeyID) })
		return json.Marshal(set)
	}
}

// sign makes a token.
func (k *Keys) sign(issuer, algorithm, typ string, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("the claims cannot be written as JSON: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.key(issuer, jose.SignatureAlgorithm(algorithm))
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// key is called with mu held.
func (k *Keys) key(issuer string, algorithm jose.SignatureAlgorithm) (jose.JSONWebKey, error) {
	name := keyName{issuer, algorithm}
	if key, ok := k.made[name]; ok {
		return key, nil
	}
	private, err := generate(algorithm)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	key := jose.JSONWebKey{Key: private, KeyID: fmt.Sprintf("%s-%d", strings.ToLower(string(algorithm)), len(k.made)), Algorithm: string(algorithm), Use: "sig"}
	k.made[name] = key
	return key, nil
}

func generate(algorithm jose.SignatureAlgorithm) (crypto.Signer, error) {
	switch algorithm {
	case jose.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jose.ES512:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case jose.EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		return nil, fmt.Errorf("no token can be signed with %q", string(algorithm))
	}
}

// signable reports whether tokens can be signed with an algorithm: all that
// issuers may use.
func signable(algorithm string) bool {
	switch jose.SignatureAlgorithm(algorithm) {
	case jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512:
		return true
	}
	return false
}
