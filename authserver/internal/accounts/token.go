package accounts

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// secretBytes of randomness in a session and in a link: nobody guesses 256
// bits, so that a fast hash is all that need be kept.
const secretBytes = 32

// newSecret returns a random text for a cookie or a URL, and what is kept of
// it.
func newSecret() (text string, kept [32]byte) {
	var random [secretBytes]byte
	rand.Read(random[:]) // never fails, see crypto/rand
	text = base64.RawURLEncoding.EncodeToString(random[:])
	return text, sha256.Sum256([]byte(text))
}

// kept is what is kept of a secret that somebody presents; false if it cannot
// be one, so that only what could be is looked up.
func kept(text string) ([32]byte, bool) {
	if len(text) != base64.RawURLEncoding.EncodedLen(secretBytes) {
		return [32]byte{}, false
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(text); err != nil {
		return [32]byte{}, false
	}
	return sha256.Sum256([]byte(text)), true
}
