package token

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
)

// Bounds on what is looked at before any cryptography: whoever sends a token
// has proved nothing yet.
const (
	maxToken  = 8 << 10 // bytes; what common servers take for a whole header
	maxHeader = 1 << 10 // bytes, decoded; alg, typ and kid need a hundred
	maxKeyID  = 128     // bytes; a SHA-512 in hex
)

// envelope is a token taken apart, not yet believed.
type envelope struct {
	alg, typ, kid string
	payload       []byte
}

// open takes a compact JWS apart. One token has one spelling here: JSON
// serialization, padding, white space and stray bits at the end are refused,
// because caches and denylists see the spelling.
func open(raw string) (envelope, error) {
	if len(raw) > maxToken {
		return envelope{}, fmt.Errorf("the token has %d bytes, more than %d", len(raw), maxToken)
	}
	head, rest, _ := strings.Cut(raw, ".")
	body, signature, found := strings.Cut(rest, ".")
	if !found {
		return envelope{}, errors.New("the token has not three parts")
	}
	header, err := decode(head, "header")
	if err != nil {
		return envelope{}, err
	}
	payload, err := decode(body, "payload")
	if err != nil {
		return envelope{}, err
	}
	if _, err := decode(signature, "signature"); err != nil {
		return envelope{}, err
	}
	e, err := readHeader(header)
	e.payload = payload
	return e, err
}

// decode is canonical base64url without padding. Go's decoder skips line
// breaks, hence the alphabet is checked first; a third dot is caught by it too.
func decode(part, name string) ([]byte, error) {
	if part == "" {
		return nil, fmt.Errorf("the token's %s is empty", name)
	}
	for i := range len(part) {
		c := part[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			continue
		}
		return nil, fmt.Errorf("the token's %s has a byte outside base64url", name)
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, fmt.Errorf("the token's %s is not canonical base64url", name)
	}
	return decoded, nil
}

// readHeader takes alg, typ and kid. Fields that would let the sender choose
// the key (jku, x5u, jwk, x5c) are not looked at; fields that would change how
// the token is read (crit, b64, zip) are refused, as RFC 7515 4.1.11 asks for
// what one does not understand.
func readHeader(data []byte) (envelope, error) {
	if len(data) > maxHeader {
		return envelope{}, fmt.Errorf("the token's header has %d bytes, more than %d", len(data), maxHeader)
	}
	fields, err := object(data, "alg", "typ", "kid", "crit", "b64", "zip")
	if err != nil {
		return envelope{}, fmt.Errorf("the token's header: %w", err)
	}
	for _, refused := range [...]string{"crit", "b64", "zip"} {
		if _, present := fields[refused]; present {
			return envelope{}, fmt.Errorf("the token's header has %s, which is not accepted", refused)
		}
	}
	var e envelope
	if e.alg, err = fields.text("alg"); err != nil {
		return envelope{}, fmt.Errorf("the token's header: %w", err)
	}
	if _, present := fields["kid"]; present {
		if e.kid, err = fields.text("kid"); err != nil {
			return envelope{}, fmt.Errorf("the token's header: %w", err)
		}
		if len(e.kid) > maxKeyID {
			return envelope{}, fmt.Errorf("the token's kid has %d bytes, more than %d", len(e.kid), maxKeyID)
		}
	}
	if _, present := fields["typ"]; present {
		if e.typ, err = fields.text("typ"); err != nil {
			return envelope{}, fmt.Errorf("the token's header: %w", err)
		}
	}
	return e, nil
}

// members are those of a JSON object.
type members map[string]any

// object reads one JSON object strictly. go-jose's decoder refuses duplicate
// names at every depth; see folds for names that another reader takes for ours.
func object(data []byte, ours ...string) (members, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("the JSON is not UTF-8")
	}
	var m members
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, errors.New("the JSON is malformed or has a name twice")
	}
	if m == nil {
		return nil, errors.New("the JSON is not an object")
	}
	return m, m.folds(ours...)
}

// folds refuses names that differ from one of ours only in case (also the long
// s and the Kelvin sign, which Unicode folds to s and k): another reader of the
// same token may fold them and see another subject than we do.
func (m members) folds(ours ...string) error {
	for name := range m {
		for _, own := range ours {
			if name != own && strings.EqualFold(name, own) {
				return fmt.Errorf("%q is %q in another spelling", name, own)
			}
		}
	}
	return nil
}

// is reports whether the header's typ is one of types. Media types have no case
// (RFC 2045 5.1); application/ may be left out (RFC 7515 4.1.9). No typ is the
// empty one.
func (e envelope) is(types ...string) bool {
	return slices.Contains(types, strings.TrimPrefix(strings.ToLower(e.typ), "application/"))
}
