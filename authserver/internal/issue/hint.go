package issue

import (
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"portcullis/authserver/internal/keyring"
)

// hintBytes bounds an ID token that comes back; ours have some 600 bytes.
const hintBytes = 4 << 10

// History finds the keys that ever signed; keyring.Ring is one.
type History interface {
	HistoryKey(kid string) (keyring.PublicKey, bool)
}

// Hints reads ID tokens that clients bring back to say whom they mean (OpenID
// Connect RP-Initiated Logout 1.0, 2).
type Hints struct {
	url  string
	keys History
}

// NewHints returns a reader of the ID tokens of an issuer.
func NewHints(issuer string, keys History) (*Hints, error) {
	if issuer == "" || keys == nil {
		return nil, errors.New("hints need the issuer's URL and its keys")
	}
	return &Hints{issuer, keys}, nil
}

// Hint returns who signed in and at which client. An ID token may have expired
// long ago, and its key be gone: it is a hint and opens nothing. One made by
// anybody else is an error.
func (h *Hints) Hint(raw string) (subject, client string, err error) {
	if len(raw) > hintBytes {
		return "", "", fmt.Errorf("the token has %d bytes, more than %d", len(raw), hintBytes)
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		return "", "", errors.New("it is not a signed token")
	}
	header := jws.Signatures[0].Header
	key, known := h.keys.HistoryKey(header.KeyID)
	switch {
	case !known:
		return "", "", errors.New("its key is not one of ours")
	case !key.Revoked.IsZero():
		return "", "", errors.New("its key was revoked: anybody may have made it")
	case header.Algorithm != string(key.Algorithm), header.ExtraHeaders["typ"] != idTokenType:
		return "", "", errors.New("it is not an ID token")
	}
	payload, err := jws.Verify(key.Key)
	if err != nil {
		return "", "", errors.New("the signature is not that of the key")
	}
	var c struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
	}
	if err := json.Unmarshal(payload, &c); err != nil || c.Issuer != h.url || c.Subject == "" || c.Audience == "" {
		return "", "", errors.New("its claims are not those of an ID token of ours")
	}
	return c.Subject, c.Audience, nil
}
