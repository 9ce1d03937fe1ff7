package token

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

const (
	// keyFileBytes bounds a file that holds a key; RSA of 8192 bits takes 6.5 KB.
	keyFileBytes = 16 << 10
	// assertionLife is how long an assertion of ours is good: it is used at once.
	assertionLife = time.Minute
	// assertionType is the typ of an assertion (rfc7523bis), so that nothing
	// else is taken for one.
	assertionType = "client-authentication+jwt"
)

// ClientKey is the private key by which a client proves who it is
// (private_key_jwt, RFC 7523). It is safe for concurrent use.
type ClientKey struct {
	signer jose.Signer
	id     string
}

// ReadClientKey reads the key that file holds as PKCS #8 in PEM. No error holds
// any of the file's text.
func ReadClientKey(file string) (*ClientKey, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read a client's key: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, keyFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read a client's key: %w", err)
	}
	der, err := onlyBlock(text, "PRIVATE KEY")
	if err != nil || len(text) > keyFileBytes {
		return nil, fmt.Errorf("the file %q does not hold one private key in PEM, as `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` writes it", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("the private key in the file %q cannot be read as PKCS #8", file)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the private key in the file %q cannot sign", file)
	}
	key, err := NewClientKey(signer)
	if err != nil {
		return nil, fmt.Errorf("the private key in the file %q: %w", file, err)
	}
	return key, nil
}

// NewClientKey takes a key of a kind that ParsePublicKey takes.
func NewClientKey(signer crypto.Signer) (*ClientKey, error) {
	public, err := newPublicKey(signer.Public())
	if err != nil {
		return nil, err
	}
	options := (&jose.SignerOptions{}).WithType(assertionType).WithHeader("kid", public.id)
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: public.algs[0], Key: cryptosigner.Opaque(signer)}, options)
	if err != nil {
		return nil, fmt.Errorf("sign with a client's key: %w", err)
	}
	return &ClientKey{made, public.id}, nil
}

// ID is the public key's RFC 7638 thumbprint, the kid of its assertions.
func (k *ClientKey) ID() string { return k.id }

// Assertion proves to issuer (its URL) that whoever sends it is clientID. It is
// good once, for a minute: make one for each request.
func (k *ClientKey) Assertion(clientID, issuer string, now time.Time) (string, error) {
	payload, err := json.Marshal(struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		Issued   int64  `json:"iat"`
		Expires  int64  `json:"exp"`
		ID       string `json:"jti"`
	}{clientID, clientID, issuer, now.Unix(), now.Add(assertionLife).Unix(), rand.Text()})
	if err != nil {
		return "", fmt.Errorf("encode an assertion of client %q: %w", clientID, err)
	}
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign an assertion of client %q: %w", clientID, err)
	}
	return signed.CompactSerialize()
}

// PublicKey is the public half of a client's key, and the algorithms it may be
// used with. The zero value verifies nothing.
type PublicKey struct {
	id     string
	algs   []jose.SignatureAlgorithm
	public crypto.PublicKey
}

// ParsePublicKey reads a public key as SubjectPublicKeyInfo in PEM, one and
// nothing else: P-256, RSA of 2048 to 8192 bits, or Ed25519.
func ParsePublicKey(text []byte) (PublicKey, error) {
	der, err := onlyBlock(text, "PUBLIC KEY")
	if err != nil {
		return PublicKey{}, err
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return PublicKey{}, errors.New("the PEM block is no public key (SubjectPublicKeyInfo)")
	}
	return newPublicKey(public)
}

// ID is the key's RFC 7638 thumbprint, the kid of assertions signed with it.
func (k PublicKey) ID() string { return k.id }

func newPublicKey(public crypto.PublicKey) (PublicKey, error) {
	k := PublicKey{public: public}
	switch alg := usual(public); alg {
	case jose.ES256, jose.EdDSA:
		k.algs = []jose.SignatureAlgorithm{alg}
	case jose.RS256: // both are what an RSA key in this form is for
		if !suits(public, alg) {
			return PublicKey{}, fmt.Errorf("an RSA key of %d bits is not accepted: use %d to %d and the exponent 65537",
				public.(*rsa.PublicKey).N.BitLen(), minRSA, maxRSA)
		}
		k.algs = []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
	default:
		return PublicKey{}, fmt.Errorf("a key of type %T and this size is not accepted: use P-256, RSA or Ed25519", public)
	}
	jwk := jose.JSONWebKey{Key: public}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return PublicKey{}, fmt.Errorf("name a public key: %w", err)
	}
	k.id = base64.RawURLEncoding.EncodeToString(sum)
	return k, nil
}

// onlyBlock returns what is in the one PEM block of text.
func onlyBlock(text []byte, kind string) ([]byte, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("this is no PEM block %q", kind)
	}
	if block.Type != kind {
		return nil, fmt.Errorf("the PEM block is a %.40q, not a %q", block.Type, kind)
	}
	for _, c := range rest {
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return nil, errors.New("something stands behind the PEM block")
		}
	}
	return block.Bytes, nil
}
