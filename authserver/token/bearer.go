package token

import (
	"net/http"
	"strings"

	"portcullis/services/problem"
)

const bearerScheme = "Bearer "

// Bearer returns the token of the one Authorization field (RFC 6750 2.1). It
// takes no token from the query or the body, where logs and histories keep it.
// The error is a *problem.Problem.
func Bearer(h http.Header) (string, error) {
	fields := h["Authorization"]
	switch len(fields) {
	case 0:
		return "", problem.New(problem.MissingToken, "")
	case 1:
	default:
		// Two fields are two answers to "who is it?": one for us and perhaps the
		// other for whoever comes after us.
		return "", problem.New(problem.BadRequest, "The request has more than one Authorization field.")
	}
	field := fields[0]
	if len(field) <= len(bearerScheme) || !strings.EqualFold(field[:len(bearerScheme)], bearerScheme) {
		return "", problem.New(problem.MissingToken, "The Authorization field must be: Bearer, one space, an access token.")
	}
	return field[len(bearerScheme):], nil
}
