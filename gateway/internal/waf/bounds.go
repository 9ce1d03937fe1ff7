package waf

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// maxFields bounds header fields, duplicates counted. Each costs the engine
// about as much as an argument, and 64 KiB of header hold thousands. Browsers
// behind three proxies send about 40.
const maxFields = 100

// format is how a body is read.
type format uint8

const (
	formatNone format = iota
	formatJSON
	formatForm
)

// processor is the engine's name for what reads the format.
func (f format) processor() string {
	switch f {
	case formatJSON:
		return "JSON"
	case formatForm:
		return "URLENCODED"
	default:
		return ""
	}
}

// bounded refuses, before the engine is entered, a request that would cost too
// much to inspect or whose body could be read in another way than it would be
// inspected. It returns how the body is to be read.
func (p Profile) bounded(tx *pipeline.Transaction, body []byte) (format, error) {
	r := tx.Request
	fields := 0
	for _, values := range r.Header {
		fields += len(values)
	}
	if fields > maxFields {
		return formatNone, refused(problem.HeadersTooLarge, fmt.Sprintf("The request has more than %d header fields.", maxFields))
	}
	cookies := 0
	for _, line := range r.Header["Cookie"] {
		cookies += pieces(line, ';', p.Args)
	}
	if cookies > p.Args {
		return formatNone, refused(problem.HeadersTooLarge, fmt.Sprintf("The request has more than %d cookies.", p.Args))
	}
	// Trailers come after what was inspected and would pass unseen.
	if len(r.Trailer) > 0 {
		return formatNone, refused(problem.BadRequest, "The request has trailer fields, which are not accepted here.")
	}
	args := len(tx.Query.Params())
	if args > p.Args {
		return formatNone, p.tooMany()
	}
	if len(body) == 0 {
		return formatNone, nil
	}
	f, err := bodyFormat(r.Header)
	if err != nil {
		return formatNone, err
	}
	switch f {
	case formatForm:
		args += pieces(body, '&', p.Args)
	case formatJSON:
		size, ok := measure(body, p.Args, p.Depth)
		switch {
		case size.depth > p.Depth:
			return formatNone, refused(problem.BadRequest, fmt.Sprintf("The JSON body is nested deeper than %d levels.", p.Depth))
		case size.args > p.Args:
			return formatNone, p.tooMany()
		case !ok || !json.Valid(body):
			return formatNone, refused(problem.BadRequest, "The body is not valid JSON.")
		}
		args += size.args
	}
	if args > p.Args {
		return formatNone, p.tooMany()
	}
	return f, nil
}

func (p Profile) tooMany() error {
	return refused(problem.BadRequest, fmt.Sprintf("The request has more than %d arguments.", p.Args))
}

// bodyFormat is how the body is to be read. Exactly one Content-Type must say
// so: backends guess when none does and differ when two do, and a JSON text
// that is inspected as a form hides its escapes. Multipart and XML are refused
// because their parsers disagree in more ways than rules can cover.
func bodyFormat(h http.Header) (format, error) {
	types := h["Content-Type"]
	if len(types) != 1 {
		return formatNone, refused(problem.UnsupportedMedia, "A request with a body needs exactly one Content-Type.")
	}
	media, _, err := mime.ParseMediaType(types[0])
	switch {
	case err != nil:
		return formatNone, refused(problem.UnsupportedMedia, "The Content-Type cannot be read.")
	case media == "application/json", strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"):
		return formatJSON, nil
	case media == "application/x-www-form-urlencoded":
		return formatForm, nil
	}
	return formatNone, refused(problem.UnsupportedMedia, "Only JSON and form bodies are accepted here.")
}

// pieces counts the non-empty pieces of s between separators, as the engine
// does; it stops once there are more than most.
func pieces[T string | []byte](s T, separator byte, most int) int {
	n, start := 0, 0
	for i := 0; i <= len(s) && n <= most; i++ {
		if i == len(s) || s[i] == separator {
			if i > start {
				n++
			}
			start = i + 1
		}
	}
	return n
}
