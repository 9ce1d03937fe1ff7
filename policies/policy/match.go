package policy

import (
	"fmt"
	"slices"
	"strings"
)

// pattern is a path that routes match, cut at its slashes. A segment is a
// literal, {param}, or * at the end for whatever follows.
type pattern []string

func cut(path string) pattern { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

func isParam(segment string) bool { return strings.HasPrefix(segment, "{") }

// splitMatch cuts GET /v1/hotels/{hotel} in two.
func splitMatch(match string) (method, path string) {
	method, path, _ = strings.Cut(match, " ")
	return method, path
}

// methods are those a route may have. CONNECT would make the gateway a tunnel,
// TRACE would show a caller what we add to its request.
func methods() []string {
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
}

// match checks what a route matches.
func (v *validator) match(m Value[string]) {
	if !m.Set {
		return
	}
	method, path := splitMatch(m.V)
	if !slices.Contains(methods(), method) {
		v.report(m.Pos, CodeMatch, fmt.Sprintf("%q is not a method a route may have", method),
			didYouMean(strings.ToUpper(method), methods()), "write GET /v1/hotels/{hotel}; methods are "+strings.Join(methods(), ", "))
	}
	if why := wrongPath(path); why != "" {
		v.report(m.Pos, CodeMatch, fmt.Sprintf("a route cannot match the path %q", path), why, "write GET /v1/hotels/{hotel} or GET /assets/*")
	}
}

// wrongPath tells why a path can be no route's, or nothing. Requests are
// matched by their canonical path, so that what cannot stand there would be
// dead, and a name that reads two ways is refused.
func wrongPath(path string) string {
	if !strings.HasPrefix(path, "/") {
		return "a path begins with a slash"
	}
	if path == "/" {
		return ""
	}
	seen := map[string]bool{}
	segments := cut(path)
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "" && last:
			return "a path does not end with a slash"
		case s == "":
			return "a path has no empty segment"
		case s == "." || s == "..":
			return "dot segments are refused before a route is looked for"
		case s == "*" && !last:
			return "a star stands at the end"
		case s == "*":
		case isParam(s):
			if !isParamName(strings.TrimSuffix(s[1:], "}")) || !strings.HasSuffix(s, "}") {
				return fmt.Sprintf("%q is not a parameter: write {hotel}, a whole segment in lower case", s)
			}
			if seen[s] {
				return fmt.Sprintf("the parameter %s stands twice", s)
			}
			seen[s] = true
		case !isLiteral(s):
			return fmt.Sprintf("the segment %q has characters that a route cannot match", s)
		}
	}
	return ""
}

func isParamName(s string) bool {
	return isName(s) && isLower(s[0]) && !strings.ContainsAny(s, ".-")
}

// isLiteral tells whether s is made of the characters a canonical path has
// unescaped (RFC 3986 section 3.3), without those that patterns use.
func isLiteral(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLower(c) && !isLower(c|0x20) && !isDigit(c) && !strings.ContainsRune("-._~!$&'()+,;=:@", rune(c)) {
			return false
		}
	}
	return true
}

// shape is the match with its parameters' names taken out: two routes of one
// shape match the same requests.
func (p pattern) shape() string {
	out := slices.Clone(p)
	for i, s := range out {
		if isParam(s) {
			out[i] = "{}"
		}
	}
	return "/" + strings.Join(out, "/")
}

// overlaps tells whether some path matches both patterns.
func (p pattern) overlaps(q pattern) bool {
	for i := 0; ; i++ {
		switch {
		case i < len(p) && p[i] == "*":
			return i <= len(q)-1
		case i < len(q) && q[i] == "*":
			return i <= len(p)-1
		case i == len(p) || i == len(q):
			return len(p) == len(q)
		case p[i] != q[i] && !isParam(p[i]) && !isParam(q[i]):
			return false
		}
	}
}

// sameMatches finds routes that match the same requests: which of them decided
// would depend on the order of the files.
func (v *validator) sameMatches() {
	first := map[string]*Route{}
	for _, r := range v.doc.Routes {
		method, path := splitMatch(r.Match.V)
		if !r.Match.Set || wrongPath(path) != "" {
			continue
		}
		key := method + " " + cut(path).shape()
		other, taken := first[key]
		if !taken {
			first[key] = r
			continue
		}
		v.report(r.Match.Pos, CodeSameMatch, fmt.Sprintf("routes %q and %q match the same requests", other.Name.V, r.Name.V),
			"the other is at "+other.Match.Pos.String(), "keep one of them")
	}
}
