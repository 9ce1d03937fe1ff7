package diff

import (
	"slices"
	"strings"
)

// path is a path that routes match, cut at its slashes. A segment is a
// literal, {param}, or * at the end for whatever follows, at least one
// segment, which may be empty.
type path []string

const star = "*"

// anything stands in a sample where any segment may stand that is no route's
// literal; no literal is spelled like it.
const anything = "\x00"

func cut(text string) path { return strings.Split(strings.TrimPrefix(text, "/"), "/") }

func isParam(segment string) bool { return strings.HasPrefix(segment, "{") }

func isLiteral(segment string) bool { return !isParam(segment) && segment != star }

func (p path) String() string { return "/" + strings.Join(p, "/") }

// shape is the path with its parameters' names taken out.
func (p path) shape() string {
	out := slices.Clone(p)
	for i, s := range out {
		if isParam(s) {
			out[i] = "{}"
		}
	}
	return out.String()
}

// meet is the path of all requests that match both; false when there are none.
func (p path) meet(q path) (path, bool) {
	var out path
	for i := 0; ; i++ {
		switch {
		case i == len(p) && i == len(q):
			return out, true
		case i == len(p) || i == len(q):
			return nil, false
		case p[i] == star:
			return append(out, q[i:]...), true
		case q[i] == star:
			return append(out, p[i:]...), true
		case isParam(p[i]):
			out = append(out, q[i])
		case isParam(q[i]) || p[i] == q[i]:
			out = append(out, p[i])
		default:
			return nil, false
		}
	}
}

// within reports whether all that matches p matches q.
func (p path) within(q path) bool {
	for i := 0; ; i++ {
		switch {
		case i == len(p) && i == len(q):
			return true
		case i == len(p) || i == len(q):
			return false
		case q[i] == star:
			return true
		case p[i] == star:
			return false
		case !isParam(q[i]) && p[i] != q[i]:
			return false
		}
	}
}

// samples are requests that stand for all that match p: one with a segment
// nobody names wherever any may stand, and for a star one of each length up to
// longest, beyond which no route tells lengths apart, with a last segment and
// without.
func (p path) samples(longest int) []path {
	sample := make(path, len(p))
	for i, s := range p {
		if sample[i] = anything; isLiteral(s) {
			sample[i] = s
		}
	}
	all := []path{sample}
	if p[len(p)-1] != star {
		return all
	}
	for {
		ended := slices.Clone(sample) // by a slash, behind which a star takes what is not there
		ended[len(ended)-1] = ""
		all = append(all, ended)
		if len(sample) > longest {
			return all
		}
		sample = append(slices.Clone(sample), anything)
		all = append(all, sample)
	}
}

// positions are the places of the parameters, by name.
func (p path) positions() map[string]int {
	at := map[string]int{}
	for i, s := range p {
		if isParam(s) {
			at[strings.Trim(s, "{}")] = i
		}
	}
	return at
}
