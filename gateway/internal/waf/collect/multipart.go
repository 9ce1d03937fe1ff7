package collect

import (
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
)

// Multipart tells of a multipart form. contentType is the field's value as it
// came. Bodies of files are no values, their names and sizes are. Names in
// extended notation (RFC 5987) and parts that backends read differently are
// left to the engine.
func (w *Walker) Multipart(body, contentType string, to Sink) error {
	w.to = to
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "multipart/form-data" {
		return ErrMultipart
	}
	reader := multipart.NewReader(strings.NewReader(body), params["boundary"])
	total := 0
	for n := 0; ; n++ {
		part, err := reader.NextPart()
		if err == io.EOF { // wrapped, it would be a body that ends early
			if n == 0 {
				return nil
			}
			return w.tell(FilesCombinedSize, "", strconv.Itoa(total))
		}
		if err != nil {
			return ErrMultipart
		}
		if n >= w.bounds.Args {
			return ErrArgs
		}
		if err := w.part(part, &total); err != nil {
			return err
		}
	}
}

func (w *Walker) part(p *multipart.Part, total *int) error {
	name := p.FormName()
	for field, values := range p.Header {
		if len(values) > 1 {
			return ErrMultipart
		}
		if err := w.tell(MultipartPartHeaders, name, field+": "+values[0]); err != nil {
			return err
		}
	}
	filename, ok := fileName(p.Header.Get("Content-Disposition"))
	if !ok {
		return ErrMultipart
	}
	content, err := io.ReadAll(p)
	if err != nil {
		return ErrMultipart
	}
	*total += len(content)
	told := []value{{MultipartName, name, name}}
	if filename == "" {
		told = append(told, value{ArgsPostNames, name, name}, value{ArgsPost, name, string(content)})
	} else {
		told = append(told, value{MultipartFilename, name, filename}, value{Files, "", filename}, value{FilesNames, "", name},
			value{FilesSizes, filename, strconv.Itoa(len(content))})
	}
	for _, t := range told {
		if err := w.tell(t.v, t.name, t.value); err != nil {
			return err
		}
	}
	return nil
}

// value is what a sink is told.
type value struct {
	v           Variable
	name, value string
}

// fileName is the name that a Content-Disposition gives a file; empty when the
// part is none.
func fileName(disposition string) (string, bool) {
	if disposition == "" {
		return "", true
	}
	_, params, err := mime.ParseMediaType(disposition)
	if err != nil || strings.Contains(disposition, "*") {
		return "", false
	}
	return params["filename"], true
}
