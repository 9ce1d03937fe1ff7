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

// SplitMatch cuts GET,POST /v1/hotels/{hotel} into methods and path.
func SplitMatch(match string) (methods []string, path string) {
	list, path, _ := strings.Cut(match, " ")
	return strings.Split(list, ","), path
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
	if list, _, spaced := strings.Cut(m.V, ", "); spaced && !strings.Contains(list, " ") {
		v.report(m.Pos, CodeMatch, "methods of a match stand together", "no space after a comma", "write GET,POST /v1/notes")
		return
	}
	list, path := SplitMatch(m.V)
	for i, method := range list {
		if !slices.Contains(methods(), method) {
			v.report(m.Pos, CodeMatch, fmt.Sprintf("%q is not a method a route may have", method),
				didYouMean(strings.ToUpper(method), methods()), "write GET /v1/hotels/{hotel}, or GET,POST /v1/notes; methods are "+strings.Join(methods(), ", "))
		} else if slices.Contains(list[:i], method) {
			v.report(m.Pos, CodeDuplicate, fmt.Sprintf("the method %s stands twice in a match", method), "", "leave one of them out")
		}
	}
	if why := wrongPath(path); why != "" {
		v.report(m.Pos, CodeMatch, fmt.Sprintf("a route cannot match the path %q", path), why, "write GET /v1/hotels/{hotel} or GET /assets/*")
	}
}

// wrongPath tells why no route can have a path, or nothing. Requests are matched
// by their canonical path: a path that is not canonical would never match.
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

// isLiteral reports whether s is made of the characters a canonical path has
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

// Params are the names of the path parameters of a match, in their order.
func Params(match string) []string {
	_, path := SplitMatch(match)
	return cut(path).params()
}

// params are the names of its parameters.
func (p pattern) params() []string {
	var names []string
	for _, s := range p {
		if isParam(s) && len(s) > 2 {
			names = append(names, s[1:len(s)-1])
		}
	}
	return names
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

// overlaps reports whether some path matches both patterns.
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
		list, path := SplitMatch(r.Match.V)
		if !r.Match.Set || wrongPath(path) != "" {
			continue
		}
		told := map[*Route]bool{}
		for _, key := range v.asked(r, list, cut(path).shape()) {
			other, taken := first[key]
			if !taken {
				first[key] = r
				continue
			}
			if other == r || told[other] {
				continue
			}
			told[other] = true
			v.report(r.Match.Pos, CodeSameMatch, fmt.Sprintf("routes %q and %q match the same requests", other.Name.V, r.Name.V),
				"the other is at "+other.Match.Pos.String(), "keep one of them")
		}
	}
}

// asked lists everything a route matches, as host, method and shape of path.
func (v *validator) asked(r *Route, methods []string, shape string) []string {
	hosts := r.Hosts
	if len(hosts) == 0 && v.doc.Gateway != nil {
		hosts = v.doc.Gateway.Hosts
	}
	if len(hosts) == 0 {
		hosts = []Value[string]{{}} // the hosts stand in a part that is missing
	}
	var keys []string
	for _, host := range hosts {
		for _, method := range methods {
			keys = append(keys, host.V+" "+method+" "+shape)
		}
	}
	return keys
}
