package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// Template is a path in which parameters of the match stand: /v2/hotels/{hotel},
// /static/*. The zero value is none.
type Template struct{ segments []segment }

// segment is one piece between slashes: a literal, or a parameter's name.
type segment struct{ literal, param string }

// NewTemplate reads a template for the routes of a pattern, whose parameters it
// may name. A parameter is a whole segment; a star ends both or neither.
func NewTemplate(text, pattern string) (Template, error) {
	if !strings.HasPrefix(text, "/") {
		return Template{}, fmt.Errorf("the path %q does not begin with a slash", text)
	}
	known := strings.Split(pattern, "/")
	parts := strings.Split(text[1:], "/")
	var t Template
	for i, part := range parts {
		last := i == len(parts)-1
		switch {
		case part == "*" && last && known[len(known)-1] == "*":
			t.segments = append(t.segments, segment{param: "*"})
		case strings.HasPrefix(part, "{") && strings.HasSuffix(part, "}") && slices.Contains(known, part):
			t.segments = append(t.segments, segment{param: part[1 : len(part)-1]})
		case strings.ContainsAny(part, "{}*"):
			return Template{}, fmt.Errorf("%q in the path %q is not a parameter of %q", part, text, pattern)
		case part == "" && !last || part == "." || part == "..":
			// "//host" would be another site's address to a browser.
			return Template{}, fmt.Errorf("the path %q holds the segment %q, which is not read alike everywhere", text, part)
		case !plainSegment(part):
			return Template{}, fmt.Errorf("the segment %q of the path %q has a character that must be escaped", part, text)
		default:
			t.segments = append(t.segments, segment{literal: part})
		}
	}
	return t, nil
}

// IsZero reports whether there is no template.
func (t Template) IsZero() bool { return t.segments == nil }

// Path is the template with the values of params in place, in one spelling: what
// is not unreserved (RFC 3986 section 2.3) is escaped, so that a value is one
// segment and nothing else, whatever was decoded of it.
func (t Template) Path(params Params) string {
	var b strings.Builder
	for _, s := range t.segments {
		b.WriteByte('/')
		if s.param == "" {
			b.WriteString(s.literal)
			continue
		}
		value, _ := params.Get(s.param)
		escape(&b, value, s.param == "*")
	}
	return b.String()
}

// escape writes a decoded value; slashes are kept in what a star took, where they
// were slashes before.
func escape(b *strings.Builder, value string, slashes bool) {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(value); i++ {
		if c := value[i]; Unreserved(c) || c == '/' && slashes {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
}

// Unreserved reports whether a character means the same escaped and not (RFC 3986
// section 2.3).
func Unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// plainSegment accepts what a canonical path holds unescaped.
func plainSegment(s string) bool {
	for i := 0; i < len(s); i++ {
		if !Unreserved(s[i]) && strings.IndexByte("!$&'()*+,=:@", s[i]) < 0 {
			return false
		}
	}
	return true
}
