package transform

import "strings"

// replaceComments puts a space in the place of each /* comment */.
func replaceComments(a *Arena, s string) string {
	begin := strings.Index(s, "/*")
	if begin < 0 {
		return s
	}
	out := a.Room(len(s))
	rest := s
	for begin >= 0 {
		out = append(append(out, rest[:begin]...), ' ')
		_, after, closed := strings.Cut(rest[begin+2:], "*/")
		if !closed {
			return a.Keep(out)
		}
		rest = after
		begin = strings.Index(rest, "/*")
	}
	return a.Keep(append(out, rest...))
}

// removeCommentsChar drops the marks of comments and keeps what they hold.
func removeCommentsChar(a *Arena, s string) string {
	out := a.Room(len(s))
next:
	for i := 0; i < len(s); {
		for _, mark := range [...]string{"/*", "*/", "<!--", "-->", "--", "#"} {
			if strings.HasPrefix(s[i:], mark) {
				i += len(mark)
				continue next
			}
		}
		out = append(out, s[i])
		i++
	}
	return a.changed(s, out)
}
