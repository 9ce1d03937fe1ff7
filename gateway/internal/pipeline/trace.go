package pipeline

import (
	"net/http"
	"strings"
)

// IsID reports whether text can be a transaction's ID.
func IsID(text string) bool { return len(text) == 32 && lowerHex(text) }

// TraceID is the trace id of a Traceparent field that is passed on as it stands
// (W3C Trace Context section 3.2.2), or "": an upstream is then sent a trace
// named like the request. Versions after 00 may be longer and mean more; we would
// not know what we pass on.
func TraceID(h http.Header) string {
	values := h["Traceparent"]
	if len(values) != 1 || len(values[0]) != 55 {
		return ""
	}
	v := values[0]
	if v[:3] != "00-" || v[35] != '-' || v[52] != '-' {
		return ""
	}
	trace, parent, flags := v[3:35], v[36:52], v[53:]
	if !lowerHex(trace) || !lowerHex(parent) || !lowerHex(flags) || strings.Trim(trace, "0") == "" || strings.Trim(parent, "0") == "" {
		return ""
	}
	return trace
}

func lowerHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}
