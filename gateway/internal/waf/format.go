package waf

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/services/problem"
)

// Formats are the kinds of bodies that a profile lets in. All others are
// refused: what the rules cannot read in full they would not see.
type Formats uint8

// The formats there are.
const (
	JSON Formats = 1 << iota
	Form
	Multipart
	XML
	allFormats = JSON | Form | Multipart | XML
)

// FormatsOf are the formats of these names: json, form, multipart and xml.
func FormatsOf(names []string) (all Formats, err error) {
	for _, name := range names {
		f, known := map[string]Formats{"json": JSON, "form": Form, "multipart": Multipart, "xml": XML}[name]
		if !known {
			return 0, fmt.Errorf("no body can be inspected as %q; formats are json, form, multipart and xml", name)
		}
		all |= f
	}
	return all, nil
}

// format is how a body is read.
type format uint8

const (
	formatNone format = iota
	formatJSON
	formatForm
	formatMultipart
	formatXML
)

// processor is the engine's name for what reads the format.
func (f format) processor() string {
	return [...]string{formatJSON: "JSON", formatForm: "URLENCODED", formatMultipart: "MULTIPART", formatXML: "XML"}[f]
}

// walk tells to of the values of a body in the format.
func (f format) walk(w *collect.Walker, body, contentType string, to collect.Sink) error {
	switch f {
	case formatJSON:
		return w.JSON(body, to)
	case formatForm:
		return w.Form(body, to)
	case formatMultipart:
		return w.Multipart(body, contentType, to)
	case formatXML:
		return w.XML(body, to)
	}
	return nil
}

// of is the format as a profile permits it.
func (f format) of() Formats {
	return [...]Formats{formatJSON: JSON, formatForm: Form, formatMultipart: Multipart, formatXML: XML}[f]
}

// media are the types under which the rules let a format in, in their own
// notation; JSON and forms are always among them.
func (f Formats) media() string {
	types := "|application/x-www-form-urlencoded| |application/json| |application/merge-patch+json| |application/json-patch+json|"
	if f&Multipart != 0 {
		types += " |multipart/form-data|"
	}
	if f&XML != 0 {
		types += " |text/xml| |application/xml| |application/soap+xml|"
	}
	return types
}

// bodyFormat is how the body is to be read. Exactly one Content-Type must say
// so: backends guess when none does and differ when two do, and a JSON text
// that is inspected as a form hides its escapes.
func (p Profile) bodyFormat(h http.Header) (format, error) {
	types := h["Content-Type"]
	if len(types) != 1 {
		return formatNone, refused(problem.UnsupportedMedia, "A request with a body needs exactly one Content-Type.")
	}
	media, parameters, err := mime.ParseMediaType(types[0])
	f := formatNone
	switch {
	case err != nil:
		return formatNone, refused(problem.UnsupportedMedia, "The Content-Type cannot be read.")
	case media == "application/json", strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"):
		f = formatJSON
	case media == "application/x-www-form-urlencoded":
		f = formatForm
	case media == "multipart/form-data":
		f = formatMultipart
	case media == "text/xml", media == "application/xml", media == "application/soap+xml":
		// The charset of the field beats that of the document, which would be
		// read as other text than was inspected.
		if charset, set := parameters["charset"]; set && !strings.EqualFold(charset, "utf-8") {
			return formatNone, refused(problem.UnsupportedMedia, "XML is accepted in UTF-8 only.")
		}
		f = formatXML
	}
	if f.of()&p.Formats == 0 {
		return formatNone, refused(problem.UnsupportedMedia, p.Formats.accepted())
	}
	return f, nil
}

// accepted says what bodies are taken, as a sentence.
func (f Formats) accepted() string {
	var names []string
	for _, known := range []struct {
		Formats
		name string
	}{{JSON, "JSON"}, {Form, "form"}, {Multipart, "multipart form"}, {XML, "XML"}} {
		if f&known.Formats != 0 {
			names = append(names, known.name)
		}
	}
	last := len(names) - 1
	if last == 0 {
		return "Only " + names[0] + " bodies are accepted here."
	}
	return "Only " + strings.Join(names[:last], ", ") + " and " + names[last] + " bodies are accepted here."
}

// counted reads a multipart form or an XML document as its backend might and
// counts its arguments: parts, or texts and attributes. What two parsers could
// read in two ways is refused.
func (p Profile) counted(f format, contentType string, body []byte) (args int, err error) {
	var n values
	w := collect.New(nil, collect.Bounds{Args: p.Args, Depth: p.Depth})
	kind := "multipart form"
	if f == formatXML {
		kind = "XML document"
	}
	err = f.walk(w, text(body), contentType, &n)
	if unclear, ok := errors.AsType[*collect.Unclear](err); ok {
		return 0, refused(problem.BadRequest, "The "+kind+" "+unclear.What+".")
	}
	if err != nil {
		return 0, p.tooMany()
	}
	return int(n), nil
}

// values counts what a body holds.
type values int

// Value counts a part by its name, and each value of a document.
func (n *values) Value(v collect.Variable, _, _ string) bool {
	if v == collect.MultipartName || v == collect.XML {
		*n++
	}
	return true
}
