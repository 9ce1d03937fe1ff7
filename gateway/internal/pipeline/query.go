package pipeline

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Bounds on a query. What does not fit belongs in a body, which has bounds of
// its own.
const (
	// MaxQuery is the longest query in bytes.
	MaxQuery = 8192
	// MaxQueryParams is the most parameters a query has, repeated ones counted.
	// Each costs every stage that reads them.
	MaxQueryParams = 256
)

// Query is the one reading of a request's query: what conditions, the WAF,
// events and explanations know of it, and what the upstream is sent. The zero
// value is the empty query.
type Query struct {
	raw    string
	params []QueryParam
}

// QueryParam is one parameter of a query.
type QueryParam struct {
	// Name and Value are decoded.
	Name, Value string
	// Raw is the parameter as it stands in the query: "na%6De=value".
	Raw string
}

// Raw is the query as it was sent, without its question mark.
func (q *Query) Raw() string { return q.raw }

// Params are the parameters in the order of the query. Empty ones, as in a&&b,
// are left out: no server reads them.
func (q *Query) Params() []QueryParam { return q.params }

// Get is the value of a parameter, and how often the name stands in the query:
// of two, the upstream may read either.
func (q *Query) Get(name string) (value string, times int) {
	for i := range q.params {
		if q.params[i].Name == name {
			if times++; times == 1 {
				value = q.params[i].Value
			}
		}
	}
	return value, times
}

// read makes q the reading of raw, in the memory that q has. What servers read
// differently is refused, and never repaired: semicolons, which some take for
// separators (golang.org/issue/25192); broken escapes, which some drop and some
// keep (CVE-2022-2880); NUL, where some end; and what does not decode to UTF-8,
// which some replace and some cut out.
func (q *Query) read(raw string) error {
	clear(q.params)
	q.raw, q.params = "", q.params[:0]
	if len(raw) > MaxQuery {
		return errors.New("the query is longer than 8192 bytes")
	}
	for rest := raw; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "&")
		if part == "" {
			continue
		}
		if len(q.params) == MaxQueryParams {
			return errors.New("the query has more than 256 parameters")
		}
		escaped, err := checkParam(part)
		if err != nil {
			return err
		}
		p := QueryParam{Raw: part}
		p.Name, p.Value, _ = strings.Cut(part, "=")
		if escaped {
			if p.Name, err = decodeParam(p.Name); err == nil {
				p.Value, err = decodeParam(p.Value)
			}
			if err != nil {
				return err
			}
		}
		q.params = append(q.params, p)
	}
	q.raw = raw
	return nil
}

// checkParam refuses what may not stand in a query, and reports whether there is
// anything to decode.
func checkParam(part string) (escaped bool, err error) {
	for i := 0; i < len(part); i++ {
		switch c := part[i]; {
		case c == ';':
			return false, errors.New("the query holds a semicolon")
		case c == '%':
			if i+2 >= len(part) || !isHex(part[i+1]) || !isHex(part[i+2]) {
				return false, errors.New("the query holds a broken escape")
			}
			if part[i+1] == '0' && part[i+2] == '0' {
				return false, errors.New("the query holds an escaped NUL")
			}
			escaped = true
		case c == '+':
			escaped = true
		case c <= ' ' || c >= 0x7f || c == '#' || c == '\\':
			return false, errors.New("the query holds a character that must be escaped")
		}
	}
	return escaped, nil
}

func decodeParam(s string) (string, error) {
	s, err := url.QueryUnescape(s)
	if err == nil && !utf8.ValidString(s) {
		err = errors.New("the query is not UTF-8 once decoded")
	}
	return s, err
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
