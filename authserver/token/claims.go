package token

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds on claims. Signed by an issuer we trust, they still end in logs,
// header fields and map keys.
const (
	maxText      = 256 // bytes of a name; OpenID Connect bounds sub to 255
	maxAudiences = 16
	maxScopes    = 128
	maxActors    = 4 // depth of act; each hop of a delegation adds one
	maxLineage   = 8 // a sign-in and as many exchanges as act may have hops, twice over
	// maxSeconds is the year 9999, the last that every calendar here can hold.
	maxSeconds = 253402300799
)

// text returns a claim that must be there and be a name: not empty, bounded,
// without control characters (which forge log lines), without replacement
// characters (where a broken escape stood, so that two names become one) and
// without white space around it (which header fields lose on the way).
func (m members) text(name string) (string, error) {
	value, present := m[name]
	if !present {
		return "", fmt.Errorf("%s is missing", name)
	}
	s, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("%s is not a string", name)
	}
	if err := checkText(s); err != nil {
		return "", fmt.Errorf("%s %w", name, err)
	}
	return s, nil
}

func checkText(s string) error {
	if s == "" {
		return errors.New("is empty")
	}
	if len(s) > maxText {
		return fmt.Errorf("has %d bytes, more than %d", len(s), maxText)
	}
	if s != strings.TrimSpace(s) {
		return errors.New("begins or ends with white space")
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return errors.New("has a character that is not allowed")
		}
	}
	return nil
}

// when returns a NumericDate (RFC 7519 2): a JSON number of seconds, fractions
// allowed and dropped. A string that looks like one is not one.
func (m members) when(name string) (at time.Time, present bool, err error) {
	value, present := m[name]
	if !present {
		return time.Time{}, false, nil
	}
	seconds, ok := value.(float64)
	if !ok || math.IsNaN(seconds) || seconds < 0 || seconds > maxSeconds {
		return time.Time{}, true, fmt.Errorf("%s is not a time in seconds between 1970 and 9999", name)
	}
	return time.Unix(int64(seconds), 0), true, nil
}

// texts returns a claim that is one string or an array of strings.
func (m members) texts(name string, most int) ([]string, error) {
	switch value := m[name].(type) {
	case nil:
		return nil, fmt.Errorf("%s is missing", name)
	case string:
		if err := checkText(value); err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
		return []string{value}, nil
	case []any:
		if len(value) == 0 || len(value) > most {
			return nil, fmt.Errorf("%s has %d values; 1 to %d are accepted", name, len(value), most)
		}
		list := make([]string, len(value))
		for i, v := range value {
			s, ok := v.(string)
			if !ok {
				return nil, fmt.Errorf("%s holds something that is not a string", name)
			}
			if err := checkText(s); err != nil {
				return nil, fmt.Errorf("a value of %s %w", name, err)
			}
			list[i] = s
		}
		return list, nil
	default:
		return nil, fmt.Errorf("%s is neither a string nor an array of strings", name)
	}
}

// scopes returns the scopes of a claim, sorted: a space separated string (RFC
// 8693 4.2) or, where list allows it, an array as some issuers write it. No
// claim is no scopes.
func (m members) scopes(name string, list bool) ([]string, error) {
	var found []string
	switch value := m[name].(type) {
	case nil:
		return nil, nil
	case string:
		if len(value) > maxToken {
			return nil, fmt.Errorf("%s is too long", name)
		}
		if value != "" {
			found = strings.Split(value, " ")
		}
	case []any:
		if !list {
			return nil, fmt.Errorf("%s is not a string", name)
		}
		for _, v := range value {
			s, ok := v.(string)
			if !ok {
				return nil, fmt.Errorf("%s holds something that is not a string", name)
			}
			found = append(found, s)
		}
	default:
		return nil, fmt.Errorf("%s is not a string", name)
	}
	if len(found) > maxScopes {
		return nil, fmt.Errorf("%s has %d scopes, more than %d", name, len(found), maxScopes)
	}
	for _, s := range found {
		if !isScope(s) {
			return nil, fmt.Errorf("%s holds something that is not a scope (RFC 6749 3.3)", name)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func isScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= maxText
}

// actors returns the subs of act (RFC 8693 4.1), who acts now first; none
// without delegation. A party that stands in it twice would be a delegation
// that came back to where it was: no honest chain does.
func (m members) actors() ([]string, error) {
	var chain []string
	for act, present := m["act"]; present; {
		if len(chain) == maxActors {
			return nil, fmt.Errorf("act is nested deeper than %d", maxActors)
		}
		object, ok := act.(map[string]any)
		if !ok {
			return nil, errors.New("act is not an object")
		}
		if err := members(object).folds("sub", "act"); err != nil {
			return nil, fmt.Errorf("act: %w", err)
		}
		sub, err := members(object).text("sub")
		if err != nil {
			return nil, fmt.Errorf("act: %w", err)
		}
		if slices.Contains(chain, sub) {
			return nil, fmt.Errorf("act names %q twice", sub)
		}
		chain = append(chain, sub)
		act, present = object["act"]
	}
	return chain, nil
}

// mayAct returns may_act.sub (RFC 8693 4.4); empty if nobody is named.
func (m members) mayAct() (string, error) {
	value, present := m["may_act"]
	if !present {
		return "", nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return "", errors.New("may_act is not an object")
	}
	if err := members(object).folds("sub"); err != nil {
		return "", fmt.Errorf("may_act: %w", err)
	}
	sub, err := members(object).text("sub")
	if err != nil {
		return "", fmt.Errorf("may_act: %w", err)
	}
	return sub, nil
}

// lineage returns the ids a token was made from; none if there is no claim. One
// string where an array belongs is refused: what cannot be read could not be
// revoked.
func (m members) lineage() ([]string, error) {
	value, present := m["lineage"]
	if !present {
		return nil, nil
	}
	if _, array := value.([]any); !array {
		return nil, errors.New("lineage is not an array")
	}
	return m.texts("lineage", maxLineage)
}
