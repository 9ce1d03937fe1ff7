package waf

import (
	"encoding/json"
	"fmt"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// maxFields bounds header fields, duplicates counted. Each costs the engine
// about as much as an argument, and 64 KiB of header hold thousands. Browsers
// behind three proxies send about 40.
const maxFields = 100

// bounded refuses, before the engine is entered, a request that would cost too
// much to inspect or whose body could be read in another way than it would be
// inspected. It returns how the body is to be read.
func (p Profile) bounded(tx *pipeline.Transaction, body []byte) (format, error) {
	if err := p.boundedHead(tx); err != nil {
		return formatNone, err
	}
	return p.boundedBody(tx, body)
}

// boundedHead is bounded for what comes before the body.
func (p Profile) boundedHead(tx *pipeline.Transaction) error {
	r := tx.Request
	fields := 0
	for _, values := range r.Header {
		fields += len(values)
	}
	if fields > maxFields {
		return refused(problem.HeadersTooLarge, fmt.Sprintf("The request has more than %d header fields.", maxFields))
	}
	cookies := 0
	for _, line := range r.Header["Cookie"] {
		cookies += pieces(line, ';', p.Args)
	}
	if cookies > p.Args {
		return refused(problem.HeadersTooLarge, fmt.Sprintf("The request has more than %d cookies.", p.Args))
	}
	// Trailers come after what was inspected and would pass unseen.
	if len(r.Trailer) > 0 {
		return refused(problem.BadRequest, "The request has trailer fields, which are not accepted here.")
	}
	if len(tx.Query.Params()) > p.Args {
		return p.tooMany()
	}
	return nil
}

// boundedBody is bounded for the rest.
func (p Profile) boundedBody(tx *pipeline.Transaction, body []byte) (format, error) {
	if len(body) == 0 {
		return formatNone, nil
	}
	r, args := tx.Request, len(tx.Query.Params())
	f, err := p.bodyFormat(r.Header)
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
	case formatMultipart, formatXML:
		n, err := p.counted(f, r.Header["Content-Type"][0], body)
		if err != nil {
			return formatNone, err
		}
		args += n
	}
	if args > p.Args {
		return formatNone, p.tooMany()
	}
	return f, nil
}

func (p Profile) tooMany() error {
	return refused(problem.BadRequest, fmt.Sprintf("The request has more than %d arguments.", p.Args))
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
