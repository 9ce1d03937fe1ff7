package seclang

import (
	"fmt"
	"strings"
)

// parseTargets reads variables with | between them. The engine's reader takes
// more spellings than are documented and gives some a surprising meaning;
// whatever is not plain is refused here.
func parseTargets(text string) ([]Target, error) {
	var targets []Target
	for rest := text; ; {
		t, tail, err := parseTarget(rest)
		if err != nil {
			return nil, fmt.Errorf("in the variables %q: %w", text, err)
		}
		targets = append(targets, t)
		if tail == "" {
			return targets, nil
		}
		if tail[0] != '|' || len(tail) == 1 {
			return nil, fmt.Errorf("in the variables %q: expected | and a variable, not %q", text, tail)
		}
		rest = tail[1:]
	}
}

func parseTarget(text string) (t Target, rest string, err error) {
	rest = text
	for rest != "" && (rest[0] == '!' || rest[0] == '&') {
		if rest[0] == '!' {
			t.Except = true
		} else {
			t.Count = true
		}
		rest = rest[1:]
	}
	end := 0
	for end < len(rest) && isNameByte(rest[end]) {
		end++
	}
	t.Variable, rest = strings.ToUpper(rest[:end]), rest[end:]
	if t.Variable == "" {
		return t, "", fmt.Errorf("expected the name of a variable, not %q", text)
	}
	if t.Except && t.Count {
		return t, "", fmt.Errorf("%q is both counted and left out", text)
	}
	if !strings.HasPrefix(rest, ":") {
		return t, rest, nil
	}
	rest = rest[1:]
	switch {
	case t.Variable == "XML" || t.Variable == "JSON":
		t.Key, rest = untilBar(rest)
		if strings.HasSuffix(t.Key, "/") {
			return t, "", fmt.Errorf("the path %q ends in a slash", t.Key)
		}
	case strings.HasPrefix(rest, "'/"):
		t.Expression = true
		if t.Key, rest, err = cutExpression(rest[1:]); err == nil && !strings.HasPrefix(rest, "'") {
			err = fmt.Errorf("the quote of %q does not end", text)
		}
		rest = strings.TrimPrefix(rest, "'")
	case strings.HasPrefix(rest, "/"):
		t.Expression = true
		t.Key, rest, err = cutExpression(rest)
	default:
		if t.Key, rest = untilBar(rest); strings.ContainsAny(t.Key, "/'") {
			return t, "", fmt.Errorf("the key %q has a slash or a quote in it", t.Key)
		}
	}
	if err == nil && t.Key == "" {
		err = fmt.Errorf("%q selects nothing", text)
	}
	return t, rest, err
}

// cutExpression takes /expression/ from the front; a backslash keeps a slash
// from ending it.
func cutExpression(s string) (expression, rest string, err error) {
	for n := 1; n < len(s); n++ {
		switch s[n] {
		case '\\':
			n++
		case '/':
			return s[1:n], s[n+1:], nil
		}
	}
	return "", "", fmt.Errorf("the expression %q does not end", s)
}

func untilBar(s string) (before, rest string) {
	if n := strings.IndexByte(s, '|'); n >= 0 {
		return s[:n], s[n:]
	}
	return s, ""
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
