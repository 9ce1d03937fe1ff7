package problem

import (
	"strconv"
	"strings"
)

// maxAccept bounds the bytes of an Accept field that are looked at. Browsers
// send about 150; what is longer wastes our time and gets JSON.
const maxAccept = 1024

// prefersHTML reports whether an Accept field wants text/html more than it wants
// JSON (RFC 9110, 12.5.1). Equal wishes get JSON: this is an API.
func prefersHTML(accept []string) bool {
	if len(accept) != 1 || len(accept[0]) > maxAccept {
		return false
	}
	var html, json wish
	for item := range strings.SplitSeq(accept[0], ",") {
		media, params, _ := strings.Cut(item, ";")
		q := quality(params)
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "text/html":
			html.add(3, q)
		case "text/*":
			html.add(2, q)
		case "application/problem+json", "application/json":
			json.add(3, q)
		case "application/*":
			json.add(2, q)
		case "*/*":
			html.add(1, q)
			json.add(1, q)
		}
	}
	return html.q > json.q
}

// wish is how much a media type is wanted; the most specific range that names
// it decides.
type wish struct {
	specific int
	q        float64
}

func (w *wish) add(specific int, q float64) {
	if specific > w.specific || specific == w.specific && q > w.q {
		w.specific, w.q = specific, q
	}
}

// quality reads the weight among media type parameters; malformed means not
// wanted, so that nonsense gets JSON.
func quality(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || !(q >= 0 && q <= 1) { // also refuses NaN
			return 0
		}
		return q
	}
	return 1
}
