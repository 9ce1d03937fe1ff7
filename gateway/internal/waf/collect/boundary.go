package collect

import "strings"

// longestBoundary is that of RFC 2046, section 5.1.1.
const longestBoundary = 70

// Boundary reads the Content-Type of a multipart form more strictly than any
// parser: PHP looks for the first text "boundary", others cut at commas or
// unescape, and each would find other parts. Besides the boundary only a
// charset may stand there, UTF-8.
func Boundary(contentType string) (string, error) {
	media, rest, more := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimRight(media, " \t"), "multipart/form-data") {
		return "", multipartFault("is not of the type multipart/form-data")
	}
	boundary, charset := "", false
	for more {
		var parameter string
		parameter, rest, more = strings.Cut(rest, ";")
		name, value, _ := strings.Cut(strings.Trim(parameter, " \t"), "=")
		switch strings.ToLower(name) {
		case "boundary":
			if boundary != "" {
				return "", multipartFault("has two boundary parameters in its Content-Type")
			}
			var ok bool
			if boundary, ok = boundaryOf(value); !ok {
				return "", multipartFault("has a boundary that is not 1 to 70 letters, digits and '+_-. (in quotes also ()/:=?) with a letter or digit among them and no hyphen at the end")
			}
		case "charset":
			if charset || !strings.EqualFold(value, "utf-8") && !strings.EqualFold(value, `"utf-8"`) {
				return "", multipartFault("has a charset other than UTF-8 in its Content-Type")
			}
			charset = true
		default:
			return "", multipartFault("has a parameter in its Content-Type that is neither boundary nor charset")
		}
	}
	if boundary == "" {
		return "", multipartFault("has no boundary parameter in its Content-Type")
	}
	return boundary, nil
}

// boundaryOf is the boundary in a parameter's value. A hyphen at its end looks
// like the mark of the last one, and one of hyphens alone occurs in any run of
// them. Spaces and commas, which RFC 2046 has too, are where some parsers cut.
func boundaryOf(value string) (string, bool) {
	special := "'+_-."
	if inner, quoted := unquoted(value); quoted {
		// What needs quotes.
		value, special = inner, special+"()/:=?"
	}
	if len(value) == 0 || len(value) > longestBoundary || value[len(value)-1] == '-' {
		return "", false
	}
	plain := false
	for i := range len(value) {
		switch {
		case alphanumeric(value[i]):
			plain = true
		case strings.IndexByte(special, value[i]) < 0:
			return "", false
		}
	}
	return value, plain
}

// unquoted takes the quotes from a text that has one at each end and none
// between.
func unquoted(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' || strings.IndexByte(s[1:len(s)-1], '"') >= 0 {
		return s, false
	}
	return s[1 : len(s)-1], true
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
