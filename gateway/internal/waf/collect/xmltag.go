package collect

import (
	"encoding/xml"
	"strings"
)

// opening reads a tag that opens an element.
func (w *Walker) opening() error {
	name, ok := w.xmlName()
	if !ok {
		return xmlFault(malformedTag)
	}
	for {
		space := w.spaces()
		switch {
		case w.takes("/>"):
			return nil
		case w.takes(">"):
			return w.opened(name)
		case !space:
			return xmlFault(malformedTag)
		}
		if err := w.attribute(); err != nil {
			return err
		}
	}
}

const malformedTag = "has a tag that is malformed, or a name with characters outside ASCII"

// element is one that is open.
type element struct {
	name string
	text bool // it has had one
}

// opened notes an element that is not empty. Those that are empty in HTML the
// engine closes at once; of one with content it cannot read the end.
func (w *Walker) opened(name string) error {
	if len(w.open) == w.bounds.Depth {
		return xmlFault("is nested too deeply")
	}
	local := name[strings.IndexByte(name, ':')+1:]
	for _, empty := range xml.HTMLAutoClose {
		if strings.EqualFold(local, empty) && !strings.HasPrefix(w.text[w.at:], "</") {
			return xmlFault("has content in an element named " + empty + ", which the inspection takes for one of HTML that is empty")
		}
	}
	w.open = append(w.open, element{name: name})
	return nil
}

func (w *Walker) attribute() error {
	if _, ok := w.xmlName(); !ok {
		return xmlFault(malformedTag)
	}
	w.spaces()
	if !w.takes("=") {
		return xmlFault(malformedTag)
	}
	w.spaces()
	quote := `"`
	if !w.takes(quote) {
		if quote = "'"; !w.takes(quote) {
			return xmlFault(malformedTag)
		}
	}
	text, closed := w.until(quote)
	if !closed || strings.Contains(text, "<") {
		return xmlFault(malformedTag)
	}
	value, ok := w.decoded(text)
	switch {
	case !ok:
		return xmlFault("has a reference to an entity other than lt, gt, amp, quot, apos and characters by number")
	case value == xinclude, value == xincludeOld:
		return xmlFault("asks for inclusion (XInclude) of other documents")
	}
	return w.node(XMLAttributes, value)
}

// The name spaces of elements that stand for other documents. The old one was
// that of a draft only, but libxml2 still heeds it.
const (
	xinclude    = "http://www.w3.org/2001/XInclude"
	xincludeOld = "http://www.w3.org/2003/XInclude"
)

// closing reads a tag that closes an element.
func (w *Walker) closing() error {
	name, ok := w.xmlName()
	w.spaces()
	last := len(w.open) - 1
	if !ok || !w.takes(">") || last < 0 || w.open[last].name != name {
		return xmlFault("has a tag that closes no element, or the wrong one")
	}
	w.open = w.open[:last]
	return nil
}

// xmlName reads a name of ASCII, with at most one colon in it.
func (w *Walker) xmlName() (string, bool) {
	begin, colon := w.at, -1
	for ; w.at < len(w.text); w.at++ {
		c := w.text[w.at]
		first := w.at == begin || w.at == colon+1
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', c == '_':
		case ('0' <= c && c <= '9' || c == '-' || c == '.') && !first:
		case c == ':' && !first && colon < 0:
			colon = w.at
		default:
			return w.text[begin:w.at], !first
		}
	}
	return "", false
}
