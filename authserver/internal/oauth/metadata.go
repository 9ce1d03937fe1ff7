package oauth

import (
	"maps"
	"net/http"

	"portcullis/authserver/internal/clients"
	"portcullis/authserver/internal/issue"
	"portcullis/authserver/token"
)

// keysAge is how long a key set may be kept, in seconds. A key is shown for
// longer than that before it signs.
const keysAge = "300"

func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age="+keysAge)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.cfg.Keys.JWKSJSON()) // a client that hung up is told nothing
}

// metadata serves the same document for RFC 8414 and for OpenID Connect
// Discovery: only what is true.
func (s *Server) metadata(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age="+keysAge)
	at := func(path string) string { return s.cfg.Issuer + path }
	methods := []clients.Method{clients.Basic, clients.Post, clients.PrivateKeyJWT}
	algorithms := []string{"ES256", "RS256", "PS256", "EdDSA"}
	document := map[string]any{
		"issuer":                                s.cfg.Issuer,
		"jwks_uri":                              at(jwksPath),
		"token_endpoint":                        at(tokenPath),
		"token_endpoint_auth_methods_supported": append(methods, clients.None),
		"token_endpoint_auth_signing_alg_values_supported":         algorithms,
		"grant_types_supported":                                    []string{issue.ClientCredentialsGrant, token.ExchangeGrant},
		"response_types_supported":                                 []string{}, // required by RFC 8414 2
		"introspection_endpoint":                                   at(introspectPath),
		"introspection_endpoint_auth_methods_supported":            methods,
		"introspection_endpoint_auth_signing_alg_values_supported": algorithms,
		"revocation_endpoint":                                      at(revokePath),
		"revocation_endpoint_auth_methods_supported":               append(methods, clients.None),
		"revocation_endpoint_auth_signing_alg_values_supported":    algorithms,
		"portcullis_revocations_endpoint":                          at(revocationsPath),
		"portcullis_audit_head_endpoint":                           at(auditHeadPath),
	}
	if s.cfg.People != nil {
		maps.Copy(document, map[string]any{
			"grant_types_supported":                          []string{issue.ClientCredentialsGrant, issue.AuthorizationCodeGrant, issue.RefreshTokenGrant, token.ExchangeGrant},
			"authorization_endpoint":                         at(authorizePath),
			"authorization_response_iss_parameter_supported": true,
			"response_types_supported":                       []string{"code"},
			"response_modes_supported":                       []string{"query"},
			"code_challenge_methods_supported":               []string{"S256"},
			"prompt_values_supported":                        []string{"none", "login"},
			"scopes_supported":                               []string{issue.OpenIDScope, issue.EmailScope, issue.OfflineScope},
			"subject_types_supported":                        []string{"public"},
			"id_token_signing_alg_values_supported":          []string{s.cfg.Keys.Algorithm()},
			"claims_supported":                               []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "email", "email_verified"},
			"request_parameter_supported":                    false,
			"request_uri_parameter_supported":                false,
			"end_session_endpoint":                           at(logoutPath),
		})
	}
	writeJSON(w, http.StatusOK, document)
}
