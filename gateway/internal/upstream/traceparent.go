package upstream

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// The parts of a traceparent, as W3C Trace Context level 1 lays them out:
// 00-<32 hex trace id>-<16 hex parent id>-<2 hex flags>.
const (
	traceparentLength = 55
	noTrace           = "00000000000000000000000000000000"
)

// validTraceparent reports whether s can be passed on as it stands. Versions
// after 00 may be longer; we would not know what we pass on, so they are made
// anew.
func validTraceparent(s string) bool {
	if len(s) != traceparentLength || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return false
	}
	trace, parent, flags := s[3:35], s[36:52], s[53:]
	return lowerHex(trace) && lowerHex(parent) && lowerHex(flags) && trace != noTrace && parent != noTrace[:16]
}

func lowerHex(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }) < 0
}

// newTraceparent begins a trace named like the request, so that logs and traces
// are found by one id. The flag is 00: nothing was recorded here.
func newTraceparent(id string) string {
	if len(id) != len(noTrace) || !lowerHex(id) || id == noTrace {
		return ""
	}
	var text [traceparentLength]byte
	copy(text[:], "00-")
	copy(text[3:], id)
	var parent [8]byte
	n := rand.Uint64() | 1 // an id of zeros is invalid
	for i := range parent {
		parent[i] = byte(n >> (8 * i))
	}
	text[35], text[52] = '-', '-'
	hex.Encode(text[36:52], parent[:])
	copy(text[53:], "00")
	return string(text[:])
}
