package collect

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// XML tells of a document's attributes and of its texts, read with the decoder
// the engine reads them with, as leniently.
func (w *Walker) XML(body string, to Sink) error {
	w.to = to
	decoder := xml.NewDecoder(strings.NewReader(body))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for n := 0; ; n++ {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return ErrXML // also one that ends early, of which the engine reads what there is
		}
		if n > maxTokens*w.bounds.Args {
			return ErrArgs
		}
		if err := w.token(token); err != nil {
			return err
		}
	}
}

// maxTokens is how many tokens of XML there may be for each argument allowed.
const maxTokens = 8

func (w *Walker) token(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		for _, attribute := range t.Attr {
			if err := w.tell(XML, XMLAttributes, attribute.Value); err != nil {
				return err
			}
		}
	case xml.CharData:
		if text := strings.TrimSpace(string(t)); text != "" {
			return w.tell(XML, XMLText, text)
		}
	}
	return nil
}
