package edge

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// newID makes a request id: 128 bits in hex. It names a request, it guards
// nothing, so the fast generator (ChaCha8, seeded by the system) will do.
func newID() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], rand.Uint64())
	binary.BigEndian.PutUint64(b[8:], rand.Uint64())
	var text [32]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}
