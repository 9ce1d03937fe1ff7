package reporting

import (
	"embed"
	"fmt"
	"sync"
	"unicode"
	"unicode/utf8"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

//go:embed fonts/*.ttf
var fontFiles embed.FS

// lastRune is the last that fpdf can set: those of the basic plane.
const lastRune = 0xffff

// face is one weight of the typeface, with what layout needs to know of it. It
// is immutable.
type face struct {
	name, file string
	font       *sfnt.Font
	units      int
	// glyphs and widths are by rune; a rune without a glyph has 0. Widths are
	// in thousandths of the size, rounded as fpdf rounds them.
	glyphs []sfnt.GlyphIndex
	widths []int
}

// weights are the faces that documents are set in.
type weights struct{ light, regular, bold *face }

func (w *weights) all() []*face { return []*face{w.light, w.regular, w.bold} }

// typefaces reads the fonts, once.
var typefaces = sync.OnceValues(func() (*weights, error) {
	w := &weights{}
	for _, f := range []struct {
		name string
		into **face
	}{{"Lato-Light", &w.light}, {"Lato-Regular", &w.regular}, {"Lato-Bold", &w.bold}} {
		var err error
		if *f.into, err = readFace(f.name); err != nil {
			return nil, fmt.Errorf("read the font %s: %w", f.name, err)
		}
	}
	return w, nil
})

func readFace(name string) (*face, error) {
	f := &face{name: name, file: "fonts/" + name + ".ttf", glyphs: make([]sfnt.GlyphIndex, lastRune+1), widths: make([]int, lastRune+1)}
	raw, err := fontFiles.ReadFile(f.file)
	if err != nil {
		return nil, err
	}
	if f.font, err = sfnt.Parse(raw); err != nil {
		return nil, err
	}
	f.units = int(f.font.UnitsPerEm())
	var b sfnt.Buffer
	for r := range rune(lastRune + 1) {
		glyph, err := f.font.GlyphIndex(&b, r)
		if err != nil {
			return nil, err
		}
		if glyph == 0 {
			continue
		}
		advance, err := f.font.GlyphAdvance(&b, glyph, fixed.Int26_6(f.units), font.HintingNone)
		if err != nil {
			return nil, err
		}
		f.glyphs[r], f.widths[r] = glyph, (int(advance)*1000+f.units/2)/f.units
	}
	return f, nil
}

// kern is by how much two signs that follow each other are moved, in
// thousandths of the size.
func (f *face) kern(b *sfnt.Buffer, left, right rune) int {
	k, err := f.font.Kern(b, f.glyphs[left], f.glyphs[right], fixed.Int26_6(f.units), font.HintingNone)
	if err != nil {
		return 0 // the pair is not in the table
	}
	return int(k) * 1000 / f.units
}

// has reports whether the face can show a rune.
func (f *face) has(r rune) bool { return r <= lastRune && f.glyphs[r] != 0 }

// run is signs that need no kerning among them, and where they begin, in
// thousandths of the size.
type run struct {
	at   int
	text string
}

// runs splits a text where signs are kerned, because fpdf does not, and tells
// how wide it is. Letter-spaced text is not kerned.
func (f *face) runs(text string, kerned bool) (runs []run, width int) {
	var b sfnt.Buffer
	begin, at := 0, 0
	last := rune(-1)
	for i, r := range text {
		if kerned && last >= 0 {
			if k := f.kern(&b, last, r); k != 0 {
				runs = append(runs, run{at, text[begin:i]})
				width += k
				begin, at = i, width
			}
		}
		width += f.widths[r]
		last = r
	}
	return append(runs, run{at, text[begin:]}), width
}

// add gives the face to a PDF. fpdf cuts pieces out of what it is given: each
// PDF gets its own copy, which is what embed hands out.
func (f *face) add(pdf *fpdf.Fpdf) error {
	raw, err := fontFiles.ReadFile(f.file)
	if err != nil {
		return err
	}
	pdf.AddUTF8FontFromBytes(f.name, "", raw)
	return pdf.Error()
}

// printable reports whether every face can show a rune, and it is one that
// shows: controls, marks of direction and private signs do not.
func printable(r rune) bool {
	if !unicode.IsGraphic(r) || r == utf8.RuneError {
		return false
	}
	w, err := typefaces()
	if err != nil {
		return false
	}
	for _, f := range w.all() {
		if !f.has(r) {
			return false
		}
	}
	return true
}
