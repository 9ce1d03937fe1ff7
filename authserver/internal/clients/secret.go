package clients

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"portcullis/authserver/internal/store"
)

const (
	// secretPrefix lets scanners find a secret that leaked.
	secretPrefix = "pcs_"
	// secretBytes of randomness: nobody guesses 256 bits, so that one fast hash
	// is as safe as a slow one, and does not let strangers burn our processor.
	secretBytes = 32
	// digestPrefix is the version of the digest's format: a later one can be
	// told apart without locking anyone out.
	digestPrefix = "v1:sha256:"
)

// NewSecret makes a secret for a client: pcs_NAME_ and 43 random characters.
func NewSecret(name string) string {
	var random [secretBytes]byte
	rand.Read(random[:]) // never fails, see crypto/rand
	return secretPrefix + name + "_" + base64.RawURLEncoding.EncodeToString(random[:])
}

// Digest is what is kept of a secret.
func Digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return digestPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

// Live reports whether secret is one of those kept, disabled or not.
func Live(kept store.Credentials, secret string) bool { return matches(kept.Digests, secret) }

// matches compares the secret with all digests, those that are absent too, and
// always in the same time.
func matches(digests [store.LiveSecrets]string, secret string) bool {
	presented := []byte(Digest(secret))
	absent := strings.Repeat("-", len(presented)) // no digest looks like this
	found := 0
	for _, kept := range digests {
		if len(kept) != len(presented) {
			kept = absent
		}
		found |= subtle.ConstantTimeCompare([]byte(kept), presented)
	}
	return found == 1
}

// CheckName says why no secret can be made for a client of this name: the name
// stands in the secret, in a form and in a header.
func CheckName(name string) error {
	ok := name != "" && len(name) <= maxName && strings.IndexFunc(name, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}) < 0
	if !ok {
		return fmt.Errorf("%q cannot name a client: use 1 to %d letters, digits, dots, hyphens and underscores", name, maxName)
	}
	return nil
}

// maxName bounds a client's name; people write them.
const maxName = 64
