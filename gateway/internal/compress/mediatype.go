package compress

import (
	"fmt"
	"strings"
)

// mediaTypes are media types and ranges of them.
type mediaTypes struct {
	exact  map[string]bool
	ranges []mediaRange
}

// mediaRange is what begins and ends alike: "text/" and "", "application/" and
// "+json".
type mediaRange struct{ prefix, suffix string }

func newMediaTypes(list []string) (m mediaTypes, err error) {
	m.exact = make(map[string]bool, len(list))
	for _, s := range list {
		prefix, suffix, ranged := strings.Cut(s, "*")
		switch {
		case s != strings.ToLower(s) || strings.Count(s, "/") != 1 || strings.HasPrefix(s, "/") || strings.ContainsAny(s, " ;,\t"):
			return m, fmt.Errorf("%q is not a media type in lower case", s)
		case !ranged:
			m.exact[s] = true
		case !strings.HasSuffix(prefix, "/") || suffix != "" && suffix[0] != '+' || strings.Contains(suffix, "*"):
			return m, fmt.Errorf("%q is not a range of media types; write text/* or application/*+json", s)
		default:
			m.ranges = append(m.ranges, mediaRange{prefix, suffix})
		}
	}
	return m, nil
}

// maxType bounds the media types that are looked at.
const maxType = 128

// match reports whether the type of an answer is among them. It allocates nothing
// for a type in lower case, which is how servers write it.
func (m *mediaTypes) match(contentType []string) bool {
	if len(contentType) != 1 {
		return false
	}
	name, _, _ := strings.Cut(contentType[0], ";")
	if name = strings.Trim(name, " \t"); len(name) > maxType {
		return false
	}
	name = strings.ToLower(name)
	if m.exact[name] {
		return true
	}
	for _, r := range m.ranges {
		if len(name) > len(r.prefix)+len(r.suffix) && strings.HasPrefix(name, r.prefix) && strings.HasSuffix(name, r.suffix) {
			// gRPC frames and compresses its messages itself.
			return !strings.HasPrefix(name, "application/grpc") && name != "multipart/byteranges"
		}
	}
	return false
}
