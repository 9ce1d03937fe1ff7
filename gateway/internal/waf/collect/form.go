package collect

import (
	"strconv"
	"strings"

	"portcullis/gateway/internal/waf/transform"
)

// Form tells of a form's arguments and, as the engine does for forms only, of
// the whole body.
func (w *Walker) Form(body string, to Sink) error {
	w.to = to
	if err := w.tell(Body, "", body); err != nil {
		return err
	}
	if err := w.tell(BodyLength, "", strconv.Itoa(len(body))); err != nil {
		return err
	}
	return w.pairs(body, ArgsPost, ArgsPostNames)
}

// pairs tells of name=value&name=value.
func (w *Walker) pairs(s string, values, names Variable) error {
	for n := 0; s != ""; {
		var pair string
		if pair, s, _ = strings.Cut(s, "&"); pair == "" {
			continue
		}
		if n++; n > w.bounds.Args {
			return ErrArgs
		}
		name, value, _ := strings.Cut(pair, "=")
		name, value = transform.Unescape(w.arena, name), transform.Unescape(w.arena, value)
		if err := w.tell(names, name, name); err != nil {
			return err
		}
		if err := w.tell(values, name, value); err != nil {
			return err
		}
	}
	return nil
}
