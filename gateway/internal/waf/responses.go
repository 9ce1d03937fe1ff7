package waf

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
)

const (
	// MaxResponseBody is the most that a profile may look at of an answer, in
	// bytes. An answer is in memory as far as it is looked at.
	MaxResponseBody = 512 << 10
	// MaxResponseTypes bounds the media types of a profile.
	MaxResponseTypes = 16

	leastResponseBody   = 1 << 10
	defaultResponseBody = 128 << 10
)

// Responses says which answers are inspected. The zero value inspects none.
type Responses struct {
	// Types are media types in lower case, without parameters, with a space
	// between two: "text/html application/json". Others pass as they come.
	Types string
	// Body is how many bytes of an answer are looked at, 1 KiB to
	// MaxResponseBody, default 128 KiB. What comes after them passes unseen.
	Body int64
}

// Some tells whether any answer is inspected.
func (r Responses) Some() bool { return r.Types != "" }

// complete returns it with its defaults, or what is wrong with it.
func (r Responses) complete() (Responses, error) {
	if !r.Some() {
		return Responses{}, nil
	}
	types := r.list()
	if len(types) > MaxResponseTypes {
		return r, fmt.Errorf("responses.types has %d media types; it may have %d", len(types), MaxResponseTypes)
	}
	for _, t := range types {
		if err := InspectedType(t); err != nil {
			return r, fmt.Errorf("responses.types has %q: %w", t, err)
		}
	}
	if r.Body == 0 {
		r.Body = defaultResponseBody
	}
	if r.Body < leastResponseBody || r.Body > MaxResponseBody {
		return r, fmt.Errorf("responses.body is %d; it must be between %d and %d", r.Body, leastResponseBody, MaxResponseBody)
	}
	return r, nil
}

func (r Responses) list() []string { return strings.Fields(r.Types) }

// InspectedType says why answers of a media type cannot be inspected; nil when
// they can.
func InspectedType(t string) error {
	major, minor, _ := strings.Cut(t, "/")
	switch {
	case !isToken(major) || !isToken(minor):
		return errors.New("it is no media type in lower case, without parameters and ranges")
	case t == "text/event-stream":
		return errors.New("it has no end, and whoever waits for an event would wait for it")
	case strings.HasPrefix(t, "application/grpc"):
		return errors.New("gRPC frames and compresses its messages itself")
	case major == "multipart":
		return errors.New("its parts have types of their own")
	}
	return nil
}

// isToken accepts what stands on one side of the slash (RFC 6838 section 4.2).
func isToken(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$&-^_.+", r) {
			return false
		}
	}
	return s != "" && len(s) <= 127
}

// listed tells whether answers of this type are inspected, and as which type.
// Browsers guess the type of what has none, or two; so these are inspected as
// the first type of the list.
func (r Responses) listed(contentType []string) (media string, listed bool) {
	if len(contentType) == 1 {
		name, _, _ := strings.Cut(contentType[0], ";")
		name = strings.ToLower(strings.Trim(name, " \t"))
		if _, _, err := mime.ParseMediaType(name); err == nil {
			return name, slices.Contains(r.list(), name)
		}
	}
	return r.list()[0], true
}

// directives has the engine look at answers.
func (r Responses) directives() string {
	if !r.Some() {
		return "SecResponseBodyAccess Off\n"
	}
	var b strings.Builder
	b.WriteString("SecResponseBodyAccess On\n")
	fmt.Fprintf(&b, "SecResponseBodyMimeType %s\n", r.Types)
	// It is given less, so that it never comes to its limit. That also bounds what
	// it holds in memory: nothing of an answer reaches a disk.
	fmt.Fprintf(&b, "SecResponseBodyLimit %d\nSecResponseBodyLimitAction Reject\n", r.Body+1)
	return b.String()
}

// encoded tells whether the body is not what its type says.
func encoded(h http.Header) bool {
	for _, line := range h["Content-Encoding"] {
		for coding := range strings.SplitSeq(line, ",") {
			if coding = strings.Trim(coding, " \t"); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
}
