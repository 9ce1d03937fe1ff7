package oauth

import (
	"errors"
	"net/http"
	"slices"

	strict "portcullis/authserver/internal/form"
	"portcullis/authserver/internal/issue"
)

const (
	// formBytes bounds the body of a request. Ours have 150 bytes; one with an
	// assertion and a subject token some thousands.
	formBytes = 32 << 10
	// formParams bounds how many parameters it has.
	formParams = 32
)

// form is the body of a request, or the query of an authorization request.
type form struct {
	values strict.Values
	// audiences are the values of audience and of resource (RFC 8707), the only
	// parameters that may repeat.
	audiences []string
}

// get is a parameter's value; empty when it is absent or has none, which is the
// same (RFC 6749 3.1 and 3.2).
func (f form) get(name string) string { return f.values.Get(name) }

// rules name the parameters that mean something here.
func rules() strict.Rules {
	return strict.Rules{Repeatable: []string{"audience", "resource"}, Most: formParams, Known: []string{
		"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "scope", "audience", "resource",
		"code", "redirect_uri", "code_verifier", "refresh_token",
		"subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type",
		"token", "token_type_hint",
		"response_type", "response_mode", "state", "nonce", "code_challenge", "code_challenge_method", "prompt", "max_age", "request", "request_uri",
		"id_token_hint", "post_logout_redirect_uri",
	}}
}

// parseForm reads application/x-www-form-urlencoded text. The error is a
// *refusal.
func parseForm(text string) (form, error) { return asForm(strict.Parse(text, rules())) }

func asForm(values strict.Values, err error) (form, error) {
	if err != nil {
		no := badRequest(err.Error())
		if errors.Is(err, strict.ErrTooLarge) {
			no.status = http.StatusRequestEntityTooLarge
		}
		return form{}, no
	}
	return form{values, slices.Concat(values["audience"], values["resource"])}, nil
}

func badRequest(description string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: string(issue.InvalidRequest), description: description}
}
