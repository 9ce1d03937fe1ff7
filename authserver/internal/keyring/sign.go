package keyring

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	// coordinate is the length of r and of s in an ES256 signature (RFC 7518 3.4).
	coordinate = 32
	// signatureRoom is that of an RS256 signature in base64: the longest.
	signatureRoom = rsaBits / 8 * 4 / 3
	// maxTypes bounds the headers a key keeps; a token service has a handful of
	// token types.
	maxTypes = 16
)

// pen writes compact JWSs (RFC 7515 3.1) with one key. The header of each type
// is encoded once.
type pen struct {
	*Key
	headers atomic.Pointer[map[string]string]
}

func newPen(key *Key) *pen {
	p := &pen{Key: key}
	p.headers.Store(&map[string]string{})
	return p
}

// write signs payload, with typ in the header beside alg and kid.
func (p *pen) write(typ string, payload []byte) (string, error) {
	header, known := (*p.headers.Load())[typ]
	if !known {
		var err error
		if header, err = p.header(typ); err != nil {
			return "", err
		}
	}
	buf := make([]byte, 0, len(header)+base64.RawURLEncoding.EncodedLen(len(payload))+2+signatureRoom)
	buf = append(buf, header...)
	buf = base64.RawURLEncoding.AppendEncode(buf, payload)
	signature, err := p.Signature(buf)
	if err != nil {
		return "", err
	}
	buf = append(buf, '.')
	return string(base64.RawURLEncoding.AppendEncode(buf, signature)), nil
}

// header encodes the header of a type, with the dot that follows, and keeps it.
// Losing a race only means encoding it again.
func (p *pen) header(typ string) (string, error) {
	if !plain(typ) {
		return "", fmt.Errorf("the token type %q is not a media type's name", typ)
	}
	text := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":%q,"kid":%q,"typ":%q}`, p.Algorithm, p.ID, typ)) + "."
	if old := p.headers.Load(); len(*old) < maxTypes {
		more := maps.Clone(*old)
		more[typ] = text
		p.headers.CompareAndSwap(old, &more)
	}
	return text, nil
}

// plain reports whether typ needs no escaping in JSON.
func plain(typ string) bool {
	for _, c := range []byte(typ) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '-', c == '.', c == '/', c == '_':
		default:
			return false
		}
	}
	return typ != "" && len(typ) <= 64
}

// Signature signs a JWS signing input and returns the signature as a JWS has it
// (RFC 7518 3.3, 3.4).
func (k *Key) Signature(input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	signature, err := k.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err == nil && k.Algorithm == jose.ES256 {
		signature, err = fixed(signature)
	}
	if err != nil {
		return nil, fmt.Errorf("sign with key %q: %w", k.ID, err)
	}
	return signature, nil
}

// fixed turns an ECDSA signature in ASN.1, as a crypto.Signer gives it, into
// the two coordinates at their full length.
func fixed(der []byte) ([]byte, error) {
	var pair cryptobyte.String
	var r, s []byte
	text := cryptobyte.String(der)
	if !text.ReadASN1(&pair, asn1.SEQUENCE) || !text.Empty() ||
		!pair.ReadASN1Integer(&r) || !pair.ReadASN1Integer(&s) || !pair.Empty() ||
		len(r) > coordinate || len(s) > coordinate {
		return nil, errors.New("its signer gave no ECDSA signature of P-256")
	}
	out := make([]byte, 2*coordinate)
	copy(out[coordinate-len(r):], r)
	copy(out[2*coordinate-len(s):], s)
	return out, nil
}
