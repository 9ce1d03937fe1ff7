package oauth

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

const (
	// basicBytes bounds an Authorization field; ours have some 120 bytes.
	basicBytes  = 2 << 10
	basicScheme = "Basic "
	// idBytes and secretBytes bound what is looked up and hashed.
	idBytes     = 128
	secretBytes = 512
)

// credentials are what a client claims to be.
type credentials struct{ id, secret string }

// readCredentials finds the one way in which the request authenticates its
// client (RFC 6749 2.3.1). Two ways at once are refused: we would check the one
// and another reader believe the other. The error is a *refusal.
func readCredentials(h http.Header, f form) (credentials, error) {
	fields := h["Authorization"]
	methods := len(fields)
	if f.clientSecret != "" {
		methods++
	}
	if f.assertion != "" {
		methods++
	}
	switch {
	case methods > 1:
		return credentials{}, badRequest("the client authenticates in more than one way: use one")
	case f.assertion != "", methods == 0:
		return credentials{}, invalidClient()
	case len(fields) == 1:
		c, err := basic(fields[0])
		if err != nil {
			return credentials{}, err
		}
		if f.clientID != "" && f.clientID != c.id {
			return credentials{}, badRequest("the parameter client_id names another client than the Authorization field")
		}
		return c.bounded()
	default:
		return credentials{f.clientID, f.clientSecret}.bounded()
	}
}

// basic reads an Authorization field. Name and secret are form-encoded in it
// before they are joined (RFC 6749 2.3.1), which many clients forget; ours hold
// no character for which that would matter.
func basic(field string) (credentials, error) {
	if len(field) > basicBytes {
		return credentials{}, badRequest("the Authorization field is too long")
	}
	if len(field) < len(basicScheme) || !strings.EqualFold(field[:len(basicScheme)], basicScheme) {
		return credentials{}, invalidClient()
	}
	plain, err := base64.StdEncoding.Strict().DecodeString(field[len(basicScheme):])
	if err != nil {
		return credentials{}, badRequest("the Authorization field is not valid base64")
	}
	rawID, rawSecret, ok := strings.Cut(string(plain), ":")
	id, errID := url.QueryUnescape(rawID)
	secret, errSecret := url.QueryUnescape(rawSecret)
	if !ok || errID != nil || errSecret != nil || !clean(id) || !clean(secret) {
		return credentials{}, badRequest("the Authorization field does not hold a form-encoded client and secret")
	}
	return credentials{id, secret}, nil
}

// bounded refuses what can be nobody's credentials before anything is looked
// up.
func (c credentials) bounded() (credentials, error) {
	if c.id == "" || c.secret == "" || len(c.id) > idBytes || len(c.secret) > secretBytes {
		return credentials{}, invalidClient()
	}
	return c, nil
}
