package reporting

import (
	"fmt"

	"portcullis/services/hotel"
)

// The styles of a document: few, and each for one purpose.

func (s *sheet) label() style {
	return style{s.faces.bold, 680, soft(), 110}
}
func (s *sheet) body() style   { return style{s.faces.regular, 10 * pt, ink(), 0} }
func (s *sheet) strong() style { return style{s.faces.bold, 10 * pt, ink(), 0} }
func (s *sheet) small() style  { return style{s.faces.regular, 850, soft(), 0} }
func (s *sheet) large() style  { return style{s.faces.light, 34 * pt, ink(), 0} }
func (s *sheet) figure() style { return style{s.faces.light, 38 * pt, ink(), 0} }
func (s *sheet) lead() style   { return style{s.faces.light, 15 * pt, ink(), 0} }

// head begins the first page: what kind of document this is, of which day, and
// whose name stands over it.
func (s *sheet) head(kind hotel.DocumentKind, date hotel.Date, name, below string) {
	s.box(left, s.y, 30*pt, 250, accent())
	s.y += 27 * pt
	s.text(left, s.y, s.label().in(accent()), upper(kindName(kind)))
	s.rightText(right, s.y, s.small(), long(date))
	s.y += 19 * pt

	st, leading := s.large(), 40*pt
	lines := wrap(name, st, right-left)
	if len(lines) > 2 { // a long name is set smaller before it takes the page
		st.size, leading = 20*pt, 26*pt
		lines = wrap(name, st, right-left)
	}
	s.paragraph(left, st, leading, lines)
	s.y += 7 * pt
	s.paragraph(left, s.lead().in(soft()), 20*pt, wrap(below, s.lead(), right-left))
	s.y += 40 * pt
}

// field sets a label and lines under it at x, and returns where they end.
func (s *sheet) field(x, y, width length, label, value string, st style) (end length) {
	s.text(x, y+s.label().size, s.label(), upper(label))
	y += 15 * pt
	for _, line := range wrap(value, st, width) {
		s.text(x, y+st.size, st, line)
		y += st.size + 4*pt
	}
	return y
}

// proof ends the document with how anybody can tell that it is genuine. It
// stands at the foot of the last page.
func (s *sheet) proof(id, address string) error {
	const height, size = 104 * pt, 76 * pt
	s.need(height)
	top := bottom - height + 8*pt
	s.line(left, right, top, 50, rule())
	if err := s.code(right-size, top+20*pt, size, address); err != nil {
		return err
	}
	s.link(right-size, top+20*pt, size, size, address)

	y := top + 26*pt
	s.text(left, y, s.label(), "IS IT GENUINE?")
	y += 17 * pt
	s.text(left, y, s.small(), "Whoever holds this document can have it confirmed: follow the address, or scan the code.")
	y += 15 * pt
	st := s.small().in(accent())
	st.size = 780
	width := right - left - size - 20*pt
	for _, line := range wrap("Verify at "+address, st, width) {
		s.text(left, y, st, line)
		s.link(left, y-st.size, st.width(line), st.size+3*pt, address)
		y += 11 * pt
	}
	s.text(left, y+6*pt, s.small(), "Document "+id)
	return nil
}

// folios number the pages when there are several, and say of what they are.
func (s *sheet) folios(title string) {
	pages := s.pdf.PageCount()
	for n := 1; pages > 1 && n <= pages; n++ {
		s.pdf.SetPage(n)
		s.text(left, paperHeight-36*pt, s.small(), wrap(title, s.small(), (right-left)*3/4)[0])
		s.rightText(right, paperHeight-36*pt, s.small(), fmt.Sprintf("Page %d of %d", n, pages))
	}
}
