package oauth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"portcullis/authserver/internal/issue"
)

const (
	// formBytes bounds the body of a token request. Ours have 150 bytes; an
	// assertion of another issuer, in time, some thousands.
	formBytes = 16 << 10
	// formParams bounds how many parameters it has.
	formParams = 32
)

// form is the body of a token request. Parameters without a value are as good
// as absent (RFC 6749 3.2).
type form struct {
	grantType, clientID, clientSecret, assertion, scope string
	// audiences are the values of audience and of resource (RFC 8707), the only
	// parameters that may repeat.
	audiences []string
}

// parameters are those that mean something here.
func parameters() []string {
	return []string{"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "scope", "audience", "resource"}
}

// parseForm reads an application/x-www-form-urlencoded body. The standard
// library's parser takes the first of two values where another takes the last,
// and whoever stands between could check the one and we use the other; so what
// is ambiguous is refused. The error is a *refusal.
func parseForm(body string) (form, error) {
	var f form
	seen := make(map[string]bool, 8)
	for params := 0; body != ""; params++ {
		if params == formParams {
			return form{}, badRequest("there are too many parameters")
		}
		var pair string
		pair, body, _ = strings.Cut(body, "&")
		if strings.Contains(pair, ";") {
			return form{}, badRequest("a parameter holds a raw semicolon: encode it as %3B")
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(rawName)
		value, errValue := url.QueryUnescape(rawValue)
		if errName != nil || errValue != nil {
			return form{}, badRequest("a parameter is not percent-encoded as it should be")
		}
		if !clean(name) || !clean(value) {
			return form{}, badRequest("a parameter holds control characters or is not UTF-8")
		}
		if name == "" {
			return form{}, badRequest("a parameter has no name")
		}
		if variant(name) {
			return form{}, badRequest("names of parameters are written in lower case")
		}
		repeatable := name == "audience" || name == "resource"
		if seen[name] && !repeatable {
			return form{}, badRequest("a parameter stands twice")
		}
		seen[name] = true
		if value != "" {
			f.set(name, value)
		}
	}
	return f, nil
}

// set stores a parameter; those nobody knows are ignored (RFC 6749 3.2).
func (f *form) set(name, value string) {
	switch name {
	case "grant_type":
		f.grantType = value
	case "client_id":
		f.clientID = value
	case "client_secret":
		f.clientSecret = value
	case "client_assertion", "client_assertion_type":
		f.assertion = value
	case "scope":
		f.scope = value
	case "audience", "resource":
		f.audiences = append(f.audiences, value)
	}
}

// variant tells whether name is one of ours but for its case; a reader that
// folds case would see two parameters as one.
func variant(name string) bool {
	known := parameters()
	return !slices.Contains(known, name) &&
		slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
}

// clean tells whether text may go on into logs, keys and look-ups.
func clean(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(c rune) bool { return c < 0x20 || c == 0x7f }) < 0
}

func badRequest(description string) *refusal {
	return &refusal{http.StatusBadRequest, string(issue.InvalidRequest), description}
}
