package booking

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// idBytes is how long a session's secret is; it is what the cookie holds.
const idBytes = 32

// secret is the content of a session's cookie. It is never stored: lookup finds
// the row, and the key opens it.
type secret [idBytes]byte

// newSecret makes one that nobody can guess.
func newSecret() (id secret) {
	rand.Read(id[:]) // never fails, see crypto/rand
	return id
}

// parseSecret reads a cookie.
func parseSecret(text string) (id secret, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != idBytes {
		return id, false
	}
	copy(id[:], raw)
	return id, true
}

func (id secret) cookie() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// lookup is what the database knows a session by.
func (id secret) lookup() []byte {
	sum := sha256.Sum256(append([]byte("booking session\x00"), id[:]...))
	return sum[:]
}

// seal encrypts v so that only the holder of the cookie can have it read. The
// lookup is bound to it: a row's content is of no use in another row.
func (id secret) seal(v any) ([]byte, error) {
	box, err := id.box()
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("seal a session: %w", err)
	}
	nonce := make([]byte, box.NonceSize(), box.NonceSize()+len(plain)+box.Overhead())
	rand.Read(nonce)
	return box.Seal(nonce, nonce, plain, id.lookup()), nil
}

// open reads what seal has made.
func (id secret) open(sealed []byte, v any) error {
	box, err := id.box()
	if err != nil {
		return err
	}
	if len(sealed) < box.NonceSize() {
		return errors.New("open a session: it is too short")
	}
	plain, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], id.lookup())
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	return json.Unmarshal(plain, v)
}

func (id secret) box() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, id[:], nil, "booking session tokens", 32)
	if err != nil {
		return nil, fmt.Errorf("derive a session's key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
