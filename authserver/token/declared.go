package token

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// ClaimType is what a declared claim must be in a token. Nothing is converted:
// the text "5" is no number, and one text no list of one.
type ClaimType string

// The types of declared claims, with what a principal holds for them.
const (
	ClaimText   ClaimType = "text"   // a JSON string; string
	ClaimTexts  ClaimType = "texts"  // an array of strings; []string
	ClaimNumber ClaimType = "number" // a whole number; int64
	ClaimTruth  ClaimType = "truth"  // true or false; bool
)

// Bounds on declared claims, which conditions ask for on every request. No text
// is longer than the token it came in, which is maxToken bytes.
const (
	maxDeclared  = 32 // claims of one issuer
	maxClaimList = 64 // texts in a list
	// maxWhole is the largest whole number that JSON readers agree on (RFC 8259 6).
	maxWhole = 1<<53 - 1
)

// readAnyway are the claims that every token is read for; no issuer declares
// them, since a second reading could differ from the first.
func readAnyway() []string {
	return []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "act", "may_act",
		"lineage", "auth_time", "cnf", "client_id", "scope",
	}
}

func checkDeclared(claims map[string]ClaimType) error {
	if len(claims) > maxDeclared {
		return fmt.Errorf("%d claims are declared, more than %d", len(claims), maxDeclared)
	}
	for name, kind := range claims {
		switch {
		case !isScope(name):
			return fmt.Errorf("%q cannot be the name of a claim", name)
		case slices.ContainsFunc(readAnyway(), func(own string) bool { return strings.EqualFold(own, name) }):
			return fmt.Errorf("the claim %q is read anyway and cannot be declared", name)
		case !slices.Contains([]ClaimType{ClaimText, ClaimTexts, ClaimNumber, ClaimTruth}, kind):
			return fmt.Errorf("claim %q: %q is none of text, texts, number and truth", name, kind)
		}
	}
	return nil
}

// declared reads the declared claims that the token has. One that is not what
// was declared is there with nil in place of its value.
func (m members) declared(claims map[string]ClaimType) (map[string]any, error) {
	var found map[string]any
	for name, kind := range claims {
		if err := m.folds(name); err != nil {
			return nil, err
		}
		value, present := m[name]
		if !present {
			continue
		}
		if found == nil {
			found = make(map[string]any, len(claims))
		}
		found[name] = nil
		if v, err := kind.read(value); err == nil {
			found[name] = v
		}
	}
	return found, nil
}

var errOtherType = errors.New("not of the declared type")

// read is value as a principal holds it.
func (t ClaimType) read(value any) (any, error) {
	switch value := value.(type) {
	case string:
		if t == ClaimText && isClaimText(value) {
			return value, nil
		}
	case []any:
		if t == ClaimTexts && len(value) <= maxClaimList {
			return claimTexts(value)
		}
	case float64:
		if t == ClaimNumber && value == math.Trunc(value) && math.Abs(value) <= maxWhole {
			return int64(value), nil
		}
	case bool:
		if t == ClaimTruth {
			return value, nil
		}
	}
	return nil, errOtherType
}

func claimTexts(values []any) ([]string, error) {
	list := make([]string, len(values))
	for i, v := range values {
		s, ok := v.(string)
		if !ok || !isClaimText(s) {
			return nil, errOtherType
		}
		list[i] = s
	}
	return list, nil
}

// isClaimText refuses replacement characters: they stand where an escape was
// broken, so that two values become one.
func isClaimText(s string) bool { return !strings.ContainsRune(s, utf8.RuneError) }
