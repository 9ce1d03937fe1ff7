package problem

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
)

// TypePrefix begins the type member of every problem; the code follows. It is
// a name and not an address: nothing has to be served there (RFC 9457, 3.1.1).
const TypePrefix = "urn:portcullis:problem:"

// details is the public form of a problem, in RFC 9457's words.
type details struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Code      Code   `json:"code"`
	RequestID string `json:"request_id,omitempty"`
}

func (p *Problem) details(requestID string) details {
	return details{
		Type:      TypePrefix + string(p.Code),
		Title:     p.Code.Title(),
		Status:    p.Status(),
		Detail:    p.Detail,
		Code:      p.Code,
		RequestID: requestID,
	}
}

// Write answers r with p: problem+json, or a small page where the Accept field
// prefers text/html. Only the public side of p is written. The fields of
// p.Header replace those already set; fields that described another body are
// removed. A HEAD request gets the same fields and no body.
func Write(w http.ResponseWriter, r *http.Request, p *Problem, requestID string) {
	d := p.details(requestID)
	h := w.Header()
	// A handler may have prepared an answer before it failed; its description
	// must not be taken for ours.
	for _, name := range []string{"Content-Encoding", "Content-Range", "Etag", "Last-Modified", "Trailer"} {
		h.Del(name)
	}
	maps.Copy(h, p.Header.Clone())

	var body []byte
	if prefersHTML(r.Header["Accept"]) {
		body = page(d, h.Get("Retry-After"))
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", pagePolicy())
	} else {
		// Marshalling cannot fail: every member is a string or a number.
		body, _ = json.Marshal(d)
		h.Set("Content-Type", "application/problem+json")
	}
	h.Add("Vary", "Accept")
	// A refusal depends on the moment and on who asked; nobody may replay it.
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(d.Status)
	if r.Method != http.MethodHead {
		// The client may be gone; there is nobody left to tell.
		_, _ = w.Write(body)
	}
}
