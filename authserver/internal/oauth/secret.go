package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// The prefixes of what is handed out, so that scanners find one that leaked.
const (
	codePrefix    = "pcc_"
	refreshPrefix = "pcr_"
)

// randomBytes is the size of a code or a refresh token: nobody guesses 256 bits,
// so that one SHA-256 keeps them.
const randomBytes = 32

// newSecret makes a code or a refresh token, and what is kept of it.
func newSecret(prefix string) (value string, kept [sha256.Size]byte) {
	var random [randomBytes]byte
	rand.Read(random[:]) // never fails, see crypto/rand
	value = prefix + base64.RawURLEncoding.EncodeToString(random[:])
	return value, hash(value)
}

func hash(value string) [sha256.Size]byte { return sha256.Sum256([]byte(value)) }
