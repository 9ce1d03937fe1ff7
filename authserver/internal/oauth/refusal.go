package oauth

import (
	"encoding/json"
	"net/http"
)

// Error codes of RFC 6749 5.2 that are not decided by issue, and those of 4.1.2
// for what that section leaves out.
const (
	codeInvalidClient    = "invalid_client"
	codeUnsupportedGrant = "unsupported_grant_type"
	codeBusy             = "temporarily_unavailable"
	codeFault            = "server_error"
)

// refusal is an error answer of RFC 6749 5.2. Its description never quotes
// what was sent: that may be a secret in the wrong place.
type refusal struct {
	status            int
	code, description string
	// reason is for the audit alone.
	reason string
	// retry is a Retry-After in seconds; empty for none.
	retry string
}

func (r *refusal) Error() string { return r.code + ": " + r.description }

// invalidClient is the one answer to all that fails to be a client.
func invalidClient() *refusal {
	return &refusal{status: http.StatusUnauthorized, code: codeInvalidClient, description: "client authentication failed"}
}

func (r *refusal) write(w http.ResponseWriter) {
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="token", charset="UTF-8"`)
	}
	if r.retry != "" {
		w.Header().Set("Retry-After", r.retry)
	}
	writeJSON(w, r.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{r.code, r.description})
}

// writeJSON answers with v, which always can be encoded.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // the outermost middleware answers and logs it
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that hung up is told nothing; there is nobody left to tell.
	_, _ = w.Write(body)
}
