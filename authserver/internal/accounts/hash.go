package accounts

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// cost is what one hash costs. A hash names its own, so that the cost can be
// raised: older ones go on working and are made anew at the next sign-in.
type cost struct {
	memory, time uint32 // KiB, passes
	threads      uint8
}

const (
	saltBytes = 16
	keyBytes  = 32
	// maxMemory, maxTime and maxThreads bound what a hash in the database may
	// make us spend: a restored or altered one must not stop the service.
	maxMemory  = 256 << 10 // KiB
	maxTime    = 16
	maxThreads = 8
)

// currentCost is OWASP's second choice for argon2id, 19 MiB and two passes: as
// hard to guess as the ones with more memory, and a burst of sign-ins fits
// beside the rest of the service.
func currentCost() cost { return cost{memory: 19 << 10, time: 2, threads: 1} }

// hash is a password's, in the format of the argon2 reference program.
type hash struct {
	cost
	salt, key []byte
}

// newHash hashes a password with a fresh salt.
func newHash(password string) hash {
	h := hash{cost: currentCost(), salt: make([]byte, saltBytes)}
	rand.Read(h.salt) // never fails, see crypto/rand
	h.key = h.derive(password)
	return h
}

// dummyHash is one that no password matches, and that takes as long to find
// out as any other.
func dummyHash() hash {
	h := hash{cost: currentCost(), salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	rand.Read(h.salt)
	rand.Read(h.key)
	return h
}

func (h hash) derive(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, keyBytes)
}

func (h hash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.derive(password), h.key) == 1
}

func (h hash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

// parseHash reads what String has written. The error never quotes it.
func parseHash(text string) (hash, error) {
	bad := errors.New("a password hash in the database is not one of ours")
	parts := strings.Split(text, "$")
	if len(parts) != 6 || len(text) > 256 {
		return hash{}, bad
	}
	var h hash
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.threads); err != nil {
		return hash{}, bad
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(h.salt) != saltBytes {
		return hash{}, bad
	}
	if h.key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(h.key) != keyBytes {
		return hash{}, bad
	}
	if h.memory < 8 || h.memory > maxMemory || h.time < 1 || h.time > maxTime || h.threads < 1 || h.threads > maxThreads {
		return hash{}, bad
	}
	if h.String() != text { // leading zeros, a sign, blanks, another version or kind
		return hash{}, bad
	}
	return h, nil
}
