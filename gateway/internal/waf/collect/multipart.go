package collect

import (
	"net/textproto"
	"strconv"
)

// Multipart tells of a multipart form. contentType is the field's value as it
// came. Contents of files are no values, their names and sizes are. The error
// is ErrArgs, or an Unclear of a form that not all parsers read alike.
func (w *Walker) Multipart(body, contentType string, to Sink) error {
	w.to = to
	boundary, err := Boundary(contentType)
	if err != nil {
		return err
	}
	form, err := newParts(body, boundary)
	if err != nil {
		return err
	}
	defer func() { w.part = part{} }()
	total := 0
	for n := 0; ; n++ {
		more, err := form.next(&w.part)
		switch {
		case err != nil:
			return err
		case !more:
			return w.tell(FilesCombinedSize, "", strconv.Itoa(total))
		case n >= w.bounds.Args:
			return ErrArgs
		}
		total += len(w.part.content)
		if err := w.tellPart(&w.part); err != nil {
			return err
		}
	}
}

// tellPart tells of one part. One whose file has an empty name is a field, for
// the engine and for browsers, which send it when nothing was chosen.
func (w *Walker) tellPart(p *part) error {
	for _, f := range p.fields[:p.count] {
		name := textproto.CanonicalMIMEHeaderKey(f.Name) // as the engine has it
		line := append(append(append(w.arena.Room(len(name)+2+len(f.Value)), name...), ": "...), f.Value...)
		if err := w.tell(MultipartPartHeaders, p.name, w.arena.Keep(line)); err != nil {
			return err
		}
	}
	if err := w.tell(MultipartName, p.name, p.name); err != nil {
		return err
	}
	if p.filename == "" {
		if err := w.tell(ArgsPostNames, p.name, p.name); err != nil {
			return err
		}
		return w.tell(ArgsPost, p.name, p.content)
	}
	for _, t := range [...]value{
		{MultipartFilename, p.name, p.filename}, {Files, "", p.filename}, {FilesNames, "", p.name},
		{FilesSizes, p.filename, strconv.Itoa(len(p.content))},
	} {
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
