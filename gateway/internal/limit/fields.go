package limit

import (
	"cmp"
	"slices"
	"strconv"

	"portcullis/gateway/internal/pipeline"
)

// Fields renders limits as the values of RateLimit-Policy and RateLimit, the
// structured fields of draft-ietf-httpapi-ratelimit-headers, the limit that
// leaves the least room first. Both are empty without limits.
func Fields(states []pipeline.LimitState) (policy, limit string) {
	var room [usual]pipeline.LimitState
	sorted := append(room[:0], states...)
	slices.SortStableFunc(sorted, func(a, b pipeline.LimitState) int {
		return cmp.Or(cmp.Compare(b.RetryAfter, a.RetryAfter), cmp.Compare(a.Remaining, b.Remaining))
	})
	var policyRoom, limitRoom [256]byte
	p, l := policyRoom[:0], limitRoom[:0]
	for i := range sorted {
		s := &sorted[i]
		if i > 0 {
			p, l = append(p, ", "...), append(l, ", "...)
		}
		p = appendString(p, s.Name)
		p = strconv.AppendInt(append(p, ";q="...), int64(s.Quota), 10)
		p = strconv.AppendInt(append(p, ";w="...), ceilSeconds(s.Window), 10)
		l = appendString(l, s.Name)
		l = strconv.AppendInt(append(l, ";r="...), int64(s.Remaining), 10)
		l = strconv.AppendInt(append(l, ";t="...), ceilSeconds(s.Reset), 10)
	}
	both := string(append(p, l...)) // one allocation a request, not two
	return both[:len(p)], both[len(p):]
}

// appendString writes a structured-field string (RFC 9651, 3.3.3), which holds
// printable ASCII only.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c > '~':
			b = append(b, '?')
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
