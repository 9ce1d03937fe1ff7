package compress

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// least is the length in bytes from which an answer is worth it: below, it fits
// into one packet as it is.
const least = 1024

// answer is the writer of one answer. It finds out at the head of the answer
// whether its body is compressed.
type answer struct {
	http.ResponseWriter
	request *http.Request
	from    *Forwarder
	decided bool
	packer  packer // nil when the body passes as it is
	coding  coding
	sent    int64
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if !a.decided && status >= 200 {
		a.decided = true
		a.decide(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if !a.decided {
		a.WriteHeader(http.StatusOK)
	}
	if a.packer == nil {
		return a.ResponseWriter.Write(p)
	}
	return a.packer.Write(p)
}

// FlushError sends what has been written so far, so that who waits for the first
// event of many gets it.
func (a *answer) FlushError() error {
	if a.packer != nil {
		if err := a.packer.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// client is where the compressed bytes go.
type client struct{ *answer }

func (c client) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.sent += int64(n)
	return n, err
}

// release gives the packer back, whole or not.
func (a *answer) release() {
	if a.packer != nil {
		a.from.pool.put(a.coding, a.packer)
	}
}

// decide looks at the head of the answer, and makes it that of a compressed one
// where it becomes one.
func (a *answer) decide(status int) {
	h := a.Header()
	if status == http.StatusNotModified {
		// It says what 200 would have said (RFC 9110 section 15.4.5), without the
		// type that would tell which answer that is.
		if a.takes() != identity && h["Etag"] != nil {
			weaken(h)
			vary(h)
		}
		return
	}
	if !a.fitting(status, h) {
		return
	}
	vary(h) // also what passes as it is depends on who asks
	if a.coding = a.takes(); a.coding == identity {
		return
	}
	if a.request.Method != http.MethodHead {
		if a.packer = a.from.pool.get(a.coding, client{a}); a.packer == nil {
			return // memory is bounded; to send more bytes is no failure
		}
	}
	h["Content-Encoding"] = []string{a.coding.String()}
	delete(h, "Content-Length")
	delete(h, "Accept-Ranges") // those of the upstream count other bytes
	weaken(h)
}

// fitting reports whether an answer may be compressed for somebody. It looks at
// nothing but the head, so that HEAD says the same as GET.
func (a *answer) fitting(status int, h http.Header) bool {
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusPartialContent:
		return false
	}
	if !a.from.types.match(h["Content-Type"]) || shorter(h, least) {
		return false
	}
	// A part of the body means that part of the bytes that the upstream has; the
	// digests are over those, or over what stands for them.
	if a.request.Header["Range"] != nil {
		return false
	}
	for _, name := range [...]string{"Content-Encoding", "Content-Range", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Signature", "Set-Cookie"} {
		if h[name] != nil {
			return false
		}
	}
	return !noTransform(h) && !noTransform(a.request.Header)
}

// shorter reports whether a body is known to be shorter than n bytes.
func shorter(h http.Header, n int64) bool {
	length := h["Content-Length"]
	if len(length) != 1 {
		return false
	}
	size, err := strconv.ParseInt(length[0], 10, 64)
	return err != nil || size < n
}

func noTransform(h http.Header) bool {
	for _, line := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(directive, " \t"), "no-transform") {
				return true
			}
		}
	}
	return false
}

// takes is the coding that whoever asks gets; see the package's comment.
func (a *answer) takes() coding {
	r := a.request
	if r.Header["Cookie"] != nil || r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		if site := r.Header["Sec-Fetch-Site"]; len(site) != 1 || site[0] != "same-origin" && site[0] != "none" {
			return identity
		}
	}
	return negotiate(r.Header["Accept-Encoding"])
}

// weaken makes the entity tag say what still holds: the same content, other bytes
// (RFC 9110 section 8.8.3.3).
func weaken(h http.Header) {
	if tag := h["Etag"]; len(tag) == 1 && strings.HasPrefix(tag[0], `"`) {
		h["Etag"] = []string{"W/" + tag[0]}
	}
}

// vary tells caches that the answer depends on what the client takes.
func vary(h http.Header) {
	if lines := h["Vary"]; !httpguts.HeaderValuesContainsToken(lines, "Accept-Encoding") && !httpguts.HeaderValuesContainsToken(lines, "*") {
		h["Vary"] = append(slices.Clip(lines), "Accept-Encoding") // the lines may be shared
	}
}
