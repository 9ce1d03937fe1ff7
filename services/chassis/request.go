package chassis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
)

// requestIDKey is the context key of the request's id.
type requestIDKey struct{}

// RequestID is the id of the request that ctx belongs to, as RequestLog found
// or made it; empty elsewhere.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// withRequestID returns r with an id: the caller's if it is one that is safe to
// log and pass on, else a new one. The X-Request-ID field of r holds it too.
func withRequestID(r *http.Request) (*http.Request, string) {
	id := ""
	if sent := r.Header["X-Request-Id"]; len(sent) == 1 && plain(sent[0]) {
		id = sent[0]
	} else {
		var random [16]byte
		rand.Read(random[:]) // never fails, see crypto/rand
		id = hex.EncodeToString(random[:])
	}
	r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
	r.Header.Set("X-Request-Id", id)
	return r, id
}

// maxRequestID bounds an id taken from a caller; ours have 32 characters.
const maxRequestID = 64

// plain reports whether id can stand in a log, a header and a URL as it is.
func plain(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, c := range []byte(id) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
