package tokentest

import (
	"crypto/rand"
	"crypto/subtle"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Opaque makes a token that only the issuer can read, with the claims of Mint.
func (i *Issuer) Opaque(claims map[string]any) string {
	i.t.Helper()
	raw := "opaque-" + rand.Text()
	i.Know(raw, i.claims(claims))
	return raw
}

// Know has the issuer say of a token that it is active and has claims, whatever
// they are; nil has it forget the token.
func (i *Issuer) Know(raw string, claims map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if claims == nil {
		delete(i.opaque, raw)
		return
	}
	known := map[string]any{"active": true}
	maps.Copy(known, claims)
	i.opaque[raw] = known
}

// Inquiries counts the requests of known clients for what a token is, also those
// while down.
func (i *Issuer) Inquiries() int { return int(i.inquiries.Load()) }

// introspect is the introspection endpoint (RFC 7662), with client_secret_basic.
// A JWT that it signed and was not told of with Know is active while it is good.
func (i *Issuer) introspect(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	raw := r.PostFormValue("token")
	i.mu.Lock()
	known, found := i.clients[id]
	says := i.opaque[raw]
	verifier := i.verifier
	i.mu.Unlock()
	if !found || subtle.ConstantTimeCompare([]byte(known.secret), []byte(secret)) != 1 {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	if says == nil {
		says = map[string]any{"active": false}
		if p, err := verifier.Verify(r.Context(), raw, time.Now()); err == nil {
			says = map[string]any{
				"active": true, "token_type": "Bearer", "sub": p.Subject, "client_id": p.Client, "aud": p.Audience, "scope": strings.Join(p.Scopes, " "),
				"iat": p.Issued.Unix(), "exp": p.Expires.Unix(),
			}
		}
	}
	answer(w, http.StatusOK, says)
}
