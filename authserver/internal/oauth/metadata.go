package oauth

import (
	"net/http"

	"portcullis/authserver/internal/issue"
)

// keysAge is how long a key set may be kept, in seconds. A key is shown for
// longer than that before it signs.
const keysAge = "300"

func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age="+keysAge)
	writeJSON(w, http.StatusOK, s.cfg.Keys.JWKS())
}

// metadata serves the same document for RFC 8414 and for OpenID Connect
// Discovery: only what is true. There is no sign-in, so there is no
// authorization endpoint and no response type.
func (s *Server) metadata(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age="+keysAge)
	writeJSON(w, http.StatusOK, struct {
		Issuer        string   `json:"issuer"`
		Token         string   `json:"token_endpoint"`
		Keys          string   `json:"jwks_uri"`
		ResponseTypes []string `json:"response_types_supported"` // required by RFC 8414 2
		Grants        []string `json:"grant_types_supported"`
		AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	}{
		Issuer: s.cfg.Issuer, Token: s.cfg.Issuer + tokenPath, Keys: s.cfg.Issuer + jwksPath,
		ResponseTypes: []string{}, Grants: []string{issue.ClientCredentialsGrant},
		AuthMethods: []string{"client_secret_basic", "client_secret_post"},
	})
}
