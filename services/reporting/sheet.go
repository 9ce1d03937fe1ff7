package reporting

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"codeberg.org/go-pdf/fpdf"
	"rsc.io/qr"

	"portcullis/services/hotel"
)

// length is in hundredths of a point. Layout counts in whole numbers: of
// fractions, processors do not all round alike, and a document must be the same
// to the byte wherever it is set.
type length int

const (
	pt length = 100

	// The paper is A4.
	paperWidth  = 595*pt + 28
	paperHeight = 841*pt + 89

	left  = 66 * pt
	right = paperWidth - left
	// bottom is where the last line of a page may stand.
	bottom = paperHeight - 64*pt
)

func (l length) points() float64 { return float64(l) / float64(pt) }

// colour is RGB.
type colour [3]int

// One accent, the brand's, beside black and two greys, which all have a
// contrast of at least 4.5 to white; the rule is no text.
func accent() colour { return colour{0x1d, 0x5b, 0xb8} }
func ink() colour    { return colour{0x18, 0x21, 0x2d} }
func soft() colour   { return colour{0x52, 0x60, 0x70} }
func rule() colour   { return colour{0xdb, 0xe1, 0xe9} }

// style is how a text is set.
type style struct {
	face   *face
	size   length
	colour colour
	// track is space added between letters.
	track length
}

func (st style) in(c colour) style { st.colour = c; return st }

func (st style) width(text string) length {
	_, width := st.face.runs(text, st.track == 0)
	return st.scale(width) + st.track*length(utf8.RuneCountInString(text))
}

func (st style) scale(thousandths int) length { return length(thousandths) * st.size / 1000 }

// sheet is a document being set. Texts come to it clean.
type sheet struct {
	pdf   *fpdf.Fpdf
	faces *weights
	// y is where the next thing begins, from the top of the page.
	y length
	// opened is told of every page, to head it.
	opened func(page int)
}

// newSheet begins a document of a day. Everything that fpdf would take from the
// clock or from the order of a map is fixed.
func newSheet(title string, date hotel.Date) (*sheet, error) {
	faces, err := typefaces()
	if err != nil {
		return nil, err
	}
	pdf := fpdf.New("P", "pt", "A4", "")
	pdf.SetCatalogSort(true)
	pdf.SetCreationDate(civil(date))
	pdf.SetModificationDate(civil(date))
	pdf.SetProducer("reporting", true)
	pdf.SetTitle(title, true)
	pdf.SetLang("en")
	pdf.SetAutoPageBreak(false, 0)
	for _, f := range faces.all() {
		if err := f.add(pdf); err != nil {
			return nil, err
		}
	}
	return &sheet{pdf: pdf, faces: faces}, nil
}

// page begins a new page.
func (s *sheet) page() {
	s.pdf.AddPage()
	s.y = 64 * pt
	if s.opened != nil {
		s.opened(s.pdf.PageNo())
	}
}

// need begins a new page unless the height is left on this one.
func (s *sheet) need(height length) {
	if s.y+height > bottom {
		s.page()
	}
}

// text sets one line with its baseline at y, beginning at x.
func (s *sheet) text(x, y length, st style, text string) {
	if text == "" {
		return
	}
	s.pdf.SetFont(st.face.name, "", st.size.points())
	s.pdf.SetTextColor(st.colour[0], st.colour[1], st.colour[2])
	if st.track != 0 {
		s.pdf.RawWriteStr(fmt.Sprintf("%.2f Tc", st.track.points()))
		defer s.pdf.RawWriteStr("0 Tc")
	}
	runs, _ := st.face.runs(text, st.track == 0)
	for _, r := range runs {
		s.pdf.Text((x + st.scale(r.at)).points(), y.points(), r.text)
	}
}

// rightText is text that ends at x.
func (s *sheet) rightText(x, y length, st style, text string) {
	s.text(x-st.width(text)+st.track, y, st, text)
}

// paragraph sets lines below each other from s.y on, and leaves s.y below them.
// The pages turn where they must.
func (s *sheet) paragraph(x length, st style, leading length, lines []string) {
	for _, line := range lines {
		s.need(leading)
		s.text(x, s.y+st.size, st, line)
		s.y += leading
	}
}

// wrap breaks a text into lines that are no wider than width: between words,
// and within a word that is wider by itself.
func wrap(text string, st style, width length) (lines []string) {
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		longer := strings.TrimPrefix(line+" "+word, " ")
		if st.width(longer) <= width {
			line = longer
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		line = word
		for n := fitting(line, st, width); n < len(line); n = fitting(line, st, width) {
			lines = append(lines, line[:n])
			line = line[n:]
		}
	}
	return append(lines, line)
}

// fitting is how many bytes of a word fit into a width, at least one rune.
func fitting(word string, st style, width length) int {
	end := 0
	for i, r := range word {
		next := i + utf8.RuneLen(r)
		if end > 0 && st.width(word[:next]) > width {
			break
		}
		end = next
	}
	return end
}

// line draws a horizontal rule.
func (s *sheet) line(x0, x1, y, thick length, c colour) {
	s.box(x0, y, x1-x0, thick, c)
}

// box fills a rectangle.
func (s *sheet) box(x, y, w, h length, c colour) {
	s.pdf.SetFillColor(c[0], c[1], c[2])
	s.pdf.Rect(x.points(), y.points(), w.points(), h.points(), "F")
}

// dot draws a filled or an empty circle with its centre at x, y. It is four
// curves of our own: fpdf's come from sines.
func (s *sheet) dot(x, y, radius length, c colour, filled bool) {
	s.pdf.SetFillColor(c[0], c[1], c[2])
	s.pdf.SetDrawColor(c[0], c[1], c[2])
	s.pdf.SetLineWidth(1)
	bend := radius * 5523 / 10000
	s.pdf.MoveTo((x + radius).points(), y.points())
	for _, q := range [][6]length{
		{x + radius, y + bend, x + bend, y + radius, x, y + radius},
		{x - bend, y + radius, x - radius, y + bend, x - radius, y},
		{x - radius, y - bend, x - bend, y - radius, x, y - radius},
		{x + bend, y - radius, x + radius, y - bend, x + radius, y},
	} {
		s.pdf.CurveBezierCubicTo(q[0].points(), q[1].points(), q[2].points(), q[3].points(), q[4].points(), q[5].points())
	}
	s.pdf.ClosePath()
	how := "D"
	if filled {
		how = "F"
	}
	s.pdf.DrawPath(how)
}

// tick draws a white tick into a dot at x, y.
func (s *sheet) tick(x, y length) {
	s.pdf.SetDrawColor(255, 255, 255)
	s.pdf.SetLineWidth(1.3)
	s.pdf.SetLineCapStyle("round")
	s.pdf.SetLineJoinStyle("round")
	s.pdf.MoveTo((x - 280).points(), (y + 10).points())
	s.pdf.LineTo((x - 70).points(), (y + 220).points())
	s.pdf.LineTo((x + 300).points(), (y - 190).points())
	s.pdf.DrawPath("D")
}

// code draws a QR code of a text into a square, without its quiet zone.
func (s *sheet) code(x, y, size length, text string) error {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return fmt.Errorf("draw a QR code: %w", err)
	}
	edge := func(i int) length { return size * length(i) / length(code.Size) }
	for row := range code.Size {
		for from := 0; from < code.Size; from++ {
			to := from
			for to < code.Size && code.Black(to, row) {
				to++
			}
			if to > from {
				s.box(x+edge(from), y+edge(row), edge(to)-edge(from), edge(row+1)-edge(row), ink())
				from = to
			}
		}
	}
	return nil
}

// link makes an area lead to an address.
func (s *sheet) link(x, y, w, h length, address string) {
	s.pdf.LinkString(x.points(), y.points(), w.points(), h.points(), address)
}

// bytes ends the document.
func (s *sheet) bytes() ([]byte, error) {
	var out bytes.Buffer
	if err := s.pdf.Output(&out); err != nil {
		return nil, fmt.Errorf("write a PDF: %w", err)
	}
	return out.Bytes(), nil
}
