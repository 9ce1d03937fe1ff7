package sandbox

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"path"
	"strings"
)

// header is what parts have in common with the mail itself.
type header interface{ Get(name string) string }

// parts sorts the parts of a mail: the first plain text and the first HTML are
// shown, the rest are attachments.
type parts struct {
	message *message
	seen    int
}

// read reads one part and what is in it.
func (p *parts) read(h header, body io.Reader, depth int) {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		if h.Get("Content-Type") != "" {
			p.message.note("A Content-Type cannot be read (%v): taken for plain text.", err)
		}
		kind, params = "text/plain", nil
	}
	if strings.HasPrefix(kind, "multipart/") {
		p.many(multipart.NewReader(body, params["boundary"]), params["boundary"], depth+1)
		return
	}
	data := p.message.readAll(p.transferred(h, body))
	disposition, disposed, _ := mime.ParseMediaType(h.Get("Content-Disposition")) // none if it cannot be read
	shown := disposition != "attachment" && disposed["filename"] == "" && params["name"] == ""
	switch {
	case shown && kind == "text/plain" && p.message.Text == "":
		p.message.Text = p.message.inCharset(data, params["charset"])
	case shown && kind == "text/html" && p.message.HTML == "":
		p.message.HTML = p.message.inCharset(data, params["charset"])
	default:
		p.message.Attachments = append(p.message.Attachments, attachment{
			Name: fileName(disposed["filename"], params["name"], len(p.message.Attachments)+1), Type: kind, Data: data,
		})
	}
}

// many reads the parts of a multipart body.
func (p *parts) many(reader *multipart.Reader, boundary string, depth int) {
	if depth > maxDepth {
		p.message.note("Parts nested more than %d deep are left out.", maxDepth)
		return
	}
	if boundary == "" {
		p.message.note("A multipart has no boundary: its parts are left out.")
		return
	}
	for {
		part, err := reader.NextRawPart() // the other one undoes quoted-printable behind our back
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			p.message.note("The parts end early: %v.", err)
			return
		}
		if p.seen++; p.seen > maxParts {
			p.message.note("Parts beyond the first %d are left out.", maxParts)
			return
		}
		p.read(part.Header, part, depth)
	}
}

// transferred undoes the transfer encoding (RFC 2045, 6).
func (p *parts) transferred(h header, body io.Reader) io.Reader {
	switch encoding := strings.ToLower(strings.TrimSpace(h.Get("Content-Transfer-Encoding"))); encoding {
	case "", "7bit", "8bit", "binary":
		return body
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	default:
		p.message.note("The transfer encoding %.40q is not known: the part is as it was sent.", encoding)
		return body
	}
}

// maxName bounds the name of an attachment, in bytes.
const maxName = 100

// fileName is a name that harms nobody who saves under it: no folders, not
// hidden, nothing that a shell or a page could stumble over.
func fileName(given, other string, number int) string {
	if given == "" {
		given = other
	}
	given = path.Base(strings.ReplaceAll(given, `\`, "/"))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, given[:min(len(given), maxName)])
	if strings.Trim(name, "._-") == "" {
		return fmt.Sprintf("part-%d", number)
	}
	return strings.TrimLeft(name, ".-")
}
