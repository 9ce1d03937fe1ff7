package tokentest

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"portcullis/authserver/internal/issue"
	"portcullis/authserver/token"
)

// Client registers a client that may have tokens for audience with scopes,
// living for lifetime (0: the usual five minutes), for itself and in exchange
// for another's. Calling it again adds an audience, or replaces the one of that
// name; the secret and the lifetime are those of the last call.
func (i *Issuer) Client(id, secret, audience string, lifetime time.Duration, scopes ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	audiences := slices.DeleteFunc(slices.Clone(i.clients[id].client.Audiences), func(a issue.Audience) bool {
		return a.Name == audience
	})
	i.clients[id] = registration{secret: secret, client: issue.Client{
		ID: id, Grants: []string{issue.ClientCredentialsGrant, issue.TokenExchangeGrant}, Lifetime: lifetime,
		Audiences: append(audiences, issue.Audience{Name: audience, Scopes: scopes}),
	}}
}

// gate counts, and breaks connections while the issuer is down.
func (i *Issuer) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/jwks":
			i.fetches.Add(1)
		case "/token":
			i.asked.Add(1)
		case "/introspect":
			i.inquiries.Add(1)
		}
		if i.down.Load() {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": i.URL, "jwks_uri": i.URL + "/jwks", "token_endpoint": i.TokenURL(), "introspection_endpoint": i.URL + "/introspect",
		"authorization_endpoint": i.URL + "/authorize", "end_session_endpoint": i.URL + "/logout",
		"id_token_signing_alg_values_supported": []string{"ES256"},
	})
}

func (i *Issuer) jwks(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	set := i.ring.JWKS()
	i.mu.Unlock()
	answer(w, http.StatusOK, set)
}

// token is the token endpoint, with client_secret_basic.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id) // RFC 6749 2.3.1 encodes both before Basic does
	secret, _ = url.QueryUnescape(secret)
	i.mu.Lock()
	known, found := i.clients[id]
	issuer := i.issuer
	i.mu.Unlock()
	if !found || subtle.ConstantTimeCompare([]byte(known.secret), []byte(secret)) != 1 {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	if err := r.ParseForm(); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
		return
	}
	switch r.PostForm.Get("grant_type") {
	case issue.ClientCredentialsGrant:
		t, err := issuer.ClientCredentials(r.Context(), request(r, known.client))
		give(w, t, err, "")
	case token.ExchangeGrant:
		i.exchange(w, r, issuer, known.client)
	case issue.AuthorizationCodeGrant:
		i.redeem(w, r, known.client)
	case issue.RefreshTokenGrant:
		i.renew(w, r, known.client)
	default:
		answer(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
	}
}

func request(r *http.Request, client issue.Client) issue.Request {
	return issue.Request{Client: client, Audiences: r.PostForm["audience"], Scope: r.PostForm.Get("scope")}
}

// give answers with a token, of this issued_token_type if that is not empty, or
// with why there is none.
func give(w http.ResponseWriter, t issue.Token, err error, kind string) {
	if refusal, ok := errors.AsType[*issue.Error](err); ok {
		refuse(w, refusal)
		return
	}
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]any{"error": "server_error"})
		return
	}
	body := map[string]any{
		"access_token": t.Value, "token_type": "Bearer", "expires_in": int(t.Lifetime.Seconds()),
		"scope": strings.Join(t.Scopes, " "),
	}
	if kind != "" {
		body["issued_token_type"] = kind
	}
	answer(w, http.StatusOK, body)
}

func refuse(w http.ResponseWriter, refusal *issue.Error) {
	answer(w, http.StatusBadRequest, map[string]any{"error": refusal.Code, "error_description": refusal.Description})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went away is not told
}
