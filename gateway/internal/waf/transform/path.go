package transform

import (
	"path"
	"strings"
)

// normalizePath resolves doubled slashes and dot components.
func normalizePath(_ *Arena, s string) string {
	if clean := cleaned(s); clean != s {
		return clean
	}
	return s
}

func cleaned(s string) string {
	if s == "" {
		return s
	}
	clean := path.Clean(s)
	if clean == "." {
		return ""
	}
	if strings.HasSuffix(s, "/") {
		clean += "/"
	}
	return clean
}

// normalizePathWin does the same for Windows: with either slash, without the
// name of an alternate stream, without the dots and spaces that end a component.
func normalizePathWin(_ *Arena, s string) string {
	p := cleaned(strings.ReplaceAll(s, `\`, "/"))
	drive := ""
	if len(p) >= 2 && p[1] == ':' && ('a' <= p[0]|0x20 && p[0]|0x20 <= 'z') {
		drive, p = p[:2], p[2:]
	}
	p, slash := strings.CutSuffix(p, "/")
	last := strings.LastIndexByte(p, '/') + 1
	if stream := strings.IndexByte(p[last:], ':'); stream >= 0 {
		p = p[:last+stream]
	}
	p = drive + p
	if slash {
		p += "/"
	}
	if p = withoutEnds(p); p != s {
		return p
	}
	return s
}

// withoutEnds cuts the dots and spaces that end components; one of dots alone
// stays, one of spaces goes.
func withoutEnds(p string) string {
	if !strings.HasSuffix(p, ".") && !strings.HasSuffix(p, " ") && !strings.Contains(p, "./") && !strings.Contains(p, " /") {
		return p // as most are, for no copy
	}
	parts := strings.Split(p, "/")
	kept := make([]string, 0, len(parts))
	cut := false
	for _, part := range parts {
		if strings.Trim(part, ".") == "" {
			kept = append(kept, part)
			continue
		}
		short := strings.TrimRight(part, ". ")
		cut = cut || short != part
		if short != "" {
			kept = append(kept, short)
		}
	}
	if !cut {
		return p
	}
	return strings.Join(kept, "/")
}
