package upstream

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"

	"portcullis/gateway/internal/pipeline"
)

// newTraceparent begins a trace named like the request, so that logs and traces
// are found by one id. It is laid out as W3C Trace Context level 1 says:
// 00-<32 hex trace id>-<16 hex parent id>-<2 hex flags>. The flag is 00: nothing
// was recorded here.
func newTraceparent(id string) string {
	if !pipeline.IsID(id) || strings.Trim(id, "0") == "" {
		return ""
	}
	var text [55]byte
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
