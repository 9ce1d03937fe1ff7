package oauth

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"portcullis/authserver/internal/clients"
	strict "portcullis/authserver/internal/form"
	"portcullis/authserver/token"
)

const (
	// basicBytes bounds an Authorization field; ours have some 120 bytes.
	basicBytes  = 2 << 10
	basicScheme = "Basic "
	// idBytes and secretBytes bound what is looked up and hashed.
	idBytes     = 128
	secretBytes = 512
)

// readProof finds the one way in which the request authenticates its client (RFC
// 6749 2.3). Two ways at once are refused: we would check the one and another
// reader believe the other. A client_id alone is the method none, of public
// clients. The error is a *refusal.
func readProof(h http.Header, f form) (clients.Proof, error) {
	fields := h["Authorization"]
	secret, assertion := f.get("client_secret"), f.get("client_assertion")
	methods := len(fields)
	if secret != "" {
		methods++
	}
	if assertion != "" {
		methods++
	}
	var p clients.Proof
	var err error
	switch {
	case methods > 1:
		return p, badRequest("the client authenticates in more than one way: use one")
	case (assertion != "") != (f.get("client_assertion_type") != ""), assertion != "" && f.get("client_assertion_type") != token.JWTBearer:
		return p, badRequest("client_assertion goes with client_assertion_type " + token.JWTBearer)
	case len(fields) == 1:
		p, err = basic(fields[0])
	case assertion != "":
		p, err = asserted(assertion)
	case secret != "":
		p = clients.Proof{Method: clients.Post, ID: f.get("client_id"), Secret: secret}
	default:
		p = clients.Proof{Method: clients.None, ID: f.get("client_id")}
	}
	if err != nil {
		return clients.Proof{}, err
	}
	if named := f.get("client_id"); named != "" && named != p.ID {
		return clients.Proof{}, badRequest("the parameter client_id names another client than the one that authenticates")
	}
	// What can be nobody's credentials is refused before anything is looked up.
	if p.ID == "" || len(p.ID) > idBytes || len(p.Secret) > secretBytes {
		return clients.Proof{}, invalidClient()
	}
	return p, nil
}

// basic reads an Authorization field. Name and secret are form-encoded in it
// before they are joined (RFC 6749 2.3.1), which many clients forget; ours hold
// no character for which that would matter.
func basic(field string) (clients.Proof, error) {
	if len(field) > basicBytes {
		return clients.Proof{}, badRequest("the Authorization field is too long")
	}
	if len(field) < len(basicScheme) || !strings.EqualFold(field[:len(basicScheme)], basicScheme) {
		return clients.Proof{}, invalidClient()
	}
	plain, err := base64.StdEncoding.Strict().DecodeString(field[len(basicScheme):])
	if err != nil {
		return clients.Proof{}, badRequest("the Authorization field is not valid base64")
	}
	rawID, rawSecret, ok := strings.Cut(string(plain), ":")
	id, errID := url.QueryUnescape(rawID)
	secret, errSecret := url.QueryUnescape(rawSecret)
	if !ok || errID != nil || errSecret != nil || !strict.Clean(id) || !strict.Clean(secret) {
		return clients.Proof{}, badRequest("the Authorization field does not hold a form-encoded client and secret")
	}
	if secret == "" {
		return clients.Proof{}, invalidClient()
	}
	return clients.Proof{Method: clients.Basic, ID: id, Secret: secret}, nil
}

// asserted asks an assertion who it claims to be from; it is checked later.
func asserted(raw string) (clients.Proof, error) {
	id, err := token.AssertionClient(raw)
	if err != nil {
		return clients.Proof{}, invalidClient()
	}
	return clients.Proof{Method: clients.PrivateKeyJWT, ID: id, Assertion: raw}, nil
}
