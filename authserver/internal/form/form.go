// Package form reads application/x-www-form-urlencoded bodies and text strictly.
// The standard library's parser takes the first of two values where another
// takes the last, and whoever stands between could check the one and we use the
// other; so what can be read in two ways is refused.
package form

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// The errors of Parse and Read. They are fit to be shown: none quotes what was
// sent.
var (
	ErrMedia     = errors.New("the body must be application/x-www-form-urlencoded")
	ErrTooLarge  = errors.New("the body is too large")
	ErrBroken    = errors.New("the body broke off")
	ErrTooMany   = errors.New("there are too many parameters")
	ErrSemicolon = errors.New("a parameter holds a raw semicolon: encode it as %3B")
	ErrEncoding  = errors.New("a parameter is not percent-encoded as it should be")
	ErrControl   = errors.New("a parameter holds control characters or is not UTF-8")
	ErrNoName    = errors.New("a parameter has no name")
	ErrCase      = errors.New("names of parameters are written in lower case")
	ErrTwice     = errors.New("a parameter stands twice")
)

// Rules say what a form may hold.
type Rules struct {
	// Known are the names that mean something. Others are read too, and are the
	// caller's to ignore; but one that differs from a known name only in its
	// case is refused, because a reader that folds case sees the two as one.
	Known []string
	// Repeatable are the names that may stand more than once.
	Repeatable []string
	// Most bounds how many parameters there are.
	Most int
}

// Values are the parameters of a form, in the order they stood. One without a
// value is as good as absent (RFC 6749 3.2) and is not here.
type Values map[string][]string

// Get is the first value of a parameter, or "".
func (v Values) Get(name string) string {
	if len(v[name]) == 0 {
		return ""
	}
	return v[name][0]
}

// Read reads the body of a request, of at most most bytes. The error is one of
// those above.
func Read(w http.ResponseWriter, r *http.Request, most int64, rules Rules) (Values, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" ||
		len(r.Header["Content-Type"]) != 1 || len(r.Header["Content-Encoding"]) != 0 {
		return nil, ErrMedia
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, ErrTooLarge
	}
	if err != nil {
		return nil, ErrBroken
	}
	return Parse(string(body), rules)
}

// Parse reads text, whose length the caller has bounded. The error is one of
// those above.
func Parse(text string, rules Rules) (Values, error) {
	values := make(Values, 8)
	seen := make(map[string]bool, 8)
	for params := 0; text != ""; params++ {
		if params == rules.Most {
			return nil, ErrTooMany
		}
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if strings.Contains(pair, ";") {
			return nil, ErrSemicolon
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(rawName)
		value, errValue := url.QueryUnescape(rawValue)
		switch {
		case errName != nil || errValue != nil:
			return nil, ErrEncoding
		case !Clean(name) || !Clean(value):
			return nil, ErrControl
		case name == "":
			return nil, ErrNoName
		case variant(name, rules.Known):
			return nil, ErrCase
		case seen[name] && !slices.Contains(rules.Repeatable, name):
			return nil, ErrTwice
		}
		seen[name] = true
		if value != "" {
			values[name] = append(values[name], value)
		}
	}
	return values, nil
}

// variant reports whether name is a known one but for its case.
func variant(name string, known []string) bool {
	return !slices.Contains(known, name) &&
		slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
}

// Clean reports whether text may go on into logs, keys and look-ups: it is UTF-8
// without control characters.
func Clean(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(c rune) bool { return c < 0x20 || c == 0x7f }) < 0
}
