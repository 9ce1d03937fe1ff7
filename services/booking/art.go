package booking

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"portcullis/services/hotel"
)

// The canvas of a picture, in its own units.
const (
	artWidth  = 960
	artHeight = 600
)

// heroArt is the id of the wide picture of the first page.
const heroArt = "hero"

// artVersion is part of the ETag: it changes when pictures do.
const artVersion = "1"

// art serves GET /art/{hotel}.svg: a picture that belongs to an id, the same for
// ever. It is drawn from the id alone; nobody is asked whether there is such a
// hotel.
func (s *Service) art(w http.ResponseWriter, r *http.Request) {
	id, ok := strings.CutSuffix(chi.URLParam(r, "name"), ".svg")
	if !ok || !hotel.ValidID(id) {
		s.serve(s.nowhere)(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/svg+xml")
	h.Set("Cache-Control", "public, max-age=86400")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("ETag", `"`+artVersion+"-"+id+`"`)
	if r.Header.Get("If-None-Match") == h.Get("ETag") {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if id == heroArt {
		_, _ = w.Write(drawHero())
		return
	}
	_, _ = w.Write(draw(id)) // the client's loss
}

// palette is the colours of one picture, from the sky down.
type palette struct {
	top, low string // the sky
	sun      string
	far      string
	mid      string
	near     string
	dark     string
	light    string
	accent   string
}

func palettes() []palette {
	return []palette{
		{"#f7b28b", "#fde6c8", "#f25f4c", "#d98f86", "#8c6a86", "#3f4a6b", "#232a45", "#fff3df", "#f2b134"}, // dusk
		{"#8fc7c4", "#f4ead2", "#f2a65a", "#6fa8a6", "#3c7d83", "#1f5560", "#12343f", "#fdf6e3", "#e4572e"}, // harbour
		{"#2b3a67", "#8a6fa8", "#f6d6ad", "#54548c", "#3a3d70", "#262a55", "#161a3a", "#fbe9c6", "#f08a5d"}, // blue hour
		{"#f3d9b1", "#fbf1dc", "#d1495b", "#c9b79c", "#7c9885", "#4a6b5d", "#28443c", "#fffaf0", "#edae49"}, // meadow
		{"#cfe3ee", "#f6f2ea", "#f4c95d", "#a9c1cf", "#6d8fa6", "#3d6280", "#1f3d56", "#ffffff", "#dd6e42"}, // frost
		{"#f0978b", "#f9d9b0", "#fff0c9", "#d0697a", "#96476b", "#5d2f58", "#35203f", "#ffeeda", "#ffb84d"}, // roses
		{"#16343f", "#3f8c86", "#c9f0c2", "#2b6a70", "#1d4d58", "#123743", "#0a222c", "#e9fbe2", "#8fe3b0"}, // aurora
		{"#e9c46a", "#f8ecd0", "#e76f51", "#d9a566", "#b5683f", "#7a4030", "#43261f", "#fff5e1", "#2a9d8f"}, // tiles
	}
}

// canvas collects what is drawn.
type canvas struct {
	bytes.Buffer
	rng *rand.Rand
	p   palette
}

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(&c.Buffer, format, args...) }

// between is a random number in [low, high).
func (c *canvas) between(low, high float64) float64 { return low + c.rng.Float64()*(high-low) }

// draw makes the picture of an id.
func draw(id string) []byte {
	sum := sha256.Sum256([]byte("art\x00" + id))
	number := func(i int) uint64 { return binary.BigEndian.Uint64(sum[8*i:]) }
	all := palettes()
	c := &canvas{rng: rand.New(rand.NewPCG(number(0), number(1))), p: all[number(2)%uint64(len(all))]} //nolint:gosec // a picture, not a secret
	c.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" preserveAspectRatio="xMidYMid slice">`,
		artWidth, artHeight, artWidth, artHeight)
	c.add(`<defs><linearGradient id="s" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="%s"/><stop offset="1" stop-color="%s"/></linearGradient>`+
		`<linearGradient id="m" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="%s" stop-opacity="0"/><stop offset="1" stop-color="%s" stop-opacity=".55"/></linearGradient></defs>`,
		c.p.top, c.p.low, c.p.low, c.p.low)
	motifs := []func(*canvas){(*canvas).sea, (*canvas).hills, (*canvas).town, (*canvas).arches, (*canvas).lighthouse, (*canvas).islands}
	motifs[number(3)%uint64(len(motifs))](c)
	c.add(`</svg>`)
	return c.Bytes()
}

func (c *canvas) sky() { c.add(`<rect width="%d" height="%d" fill="url(#s)"/>`, artWidth, artHeight) }

func (c *canvas) sun(x, y, r float64) {
	for i := 3; i > 0; i-- {
		c.add(`<circle cx="%.0f" cy="%.0f" r="%.0f" fill="%s" opacity=".12"/>`, x, y, r*(1+0.42*float64(i)), c.p.sun)
	}
	c.add(`<circle cx="%.0f" cy="%.0f" r="%.0f" fill="%s"/>`, x, y, r, c.p.sun)
}

// clouds are long and flat, as over water.
func (c *canvas) clouds(n int, low, high float64) {
	for range n {
		x, y, w := c.between(-60, artWidth-100), c.between(low, high), c.between(120, 300)
		for i := range 2 {
			f := float64(i)
			c.add(`<rect x="%.0f" y="%.0f" width="%.0f" height="12" rx="6" fill="%s" opacity=".5"/>`, x+f*c.between(20, 70), y+f*16, w*(1-0.3*f), c.p.light)
		}
	}
}

// ridge is a closed shape whose upper edge is a sum of waves about y.
func (c *canvas) ridge(y, height float64, color string, rough float64) func(x float64) float64 {
	type wave struct{ a, f, p float64 }
	waves := []wave{
		{height, c.between(0.8, 1.6), c.between(0, 6.3)},
		{height * 0.45, c.between(2, 3.5), c.between(0, 6.3)},
		{height * 0.2 * rough, c.between(6, 9), c.between(0, 6.3)},
	}
	at := func(x float64) float64 {
		v := y
		for _, w := range waves {
			v += w.a * math.Sin(w.f*x/artWidth*2*math.Pi+w.p) * 0.5
		}
		return v
	}
	c.add(`<path fill="%s" d="M0 %d`, color, artHeight)
	for x := 0; x <= artWidth; x += 24 {
		c.add(`L%d %.1f`, x, at(float64(x)))
	}
	c.add(`V%dZ"/>`, artHeight)
	return at
}

func (c *canvas) mist(y float64) {
	c.add(`<rect y="%.0f" width="%d" height="120" fill="url(#m)"/>`, y, artWidth)
}

// pines stand on a ridge.
func (c *canvas) pines(at func(float64) float64, n int, color string) {
	x := c.between(20, artWidth-240)
	for range n {
		x += c.between(14, 46)
		h := c.between(46, 96)
		y := at(x) + 6
		for i := range 3 {
			f := float64(i)
			w := h * (0.2 + 0.07*f)
			top, foot := y-h+f*h*0.2, y-h*(0.5-0.25*f)
			c.add(`<path fill="%s" d="M%.1f %.1fL%.1f %.1fH%.1fZ"/>`, color, x, top, x+w, foot, x-w)
		}
	}
}

// glitter is light on water below a sun at x.
func (c *canvas) glitter(x, from, to, width float64) {
	for y := from; y < to; y += 13 {
		spread := width * (0.5 + (y-from)/(to-from))
		w := c.between(0.25, 1) * spread
		c.add(`<rect x="%.0f" y="%.0f" width="%.0f" height="4" rx="2" fill="%s" opacity=".7"/>`, x-w/2+c.between(-0.3, 0.3)*spread, y, w, c.p.sun)
	}
}

// band is water with waves along its upper edge.
func (c *canvas) band(y, wave float64, color string) {
	length, shift := c.between(80, 150), c.between(0, 100)
	c.add(`<path fill="%s" d="M%.0f %.1f`, color, -shift-length, y)
	for x := -shift - length; x < artWidth+length; x += length {
		c.add(`q%.1f %.1f %.1f 0t%.1f 0`, length/4, -wave, length/2, length/2)
	}
	c.add(`V%dH-200Z"/>`, artHeight)
}

func (c *canvas) boat(x, y, size float64) {
	c.add(`<g transform="translate(%.0f %.0f) scale(%.2f)"><path fill="%s" d="M-46 0H46L32 20H-32Z"/><path fill="%s" d="M-3 -8V-104L-44 -8Z"/><path fill="%s" d="M5 -8V-88L38 -8Z"/></g>`,
		x, y, size, c.p.dark, c.p.light, c.p.accent)
}

func (c *canvas) birds(n int) {
	x, y := c.between(180, artWidth-320), c.between(90, 200)
	for range n {
		x, y = x+c.between(24, 64), y+c.between(-26, 26)
		w := c.between(9, 15)
		c.add(`<path fill="none" stroke="%s" stroke-width="3" stroke-linecap="round" d="M%.0f %.0fq%.1f %.1f %.1f 0q%.1f %.1f %.1f 0"/>`,
			c.p.dark, x-w, y, w/2, -w*0.7, w, w/2, -w*0.7, w)
	}
}

func (c *canvas) sea() {
	c.sky()
	x, r := c.between(260, 700), c.between(70, 110)
	horizon := c.between(330, 370)
	c.clouds(3, 70, 220)
	c.sun(x, horizon-c.between(10, 120), r)
	c.add(`<rect y="%.0f" width="%d" height="300" fill="%s"/>`, horizon, artWidth, c.p.mid)
	c.glitter(x, horizon+10, 480, r*1.7)
	c.band(448, 14, c.p.near)
	c.boat(c.between(160, 800), c.between(404, 424), c.between(0.8, 1.1))
	c.band(508, 20, c.p.dark)
	c.birds(3)
}

func (c *canvas) hills() {
	c.sky()
	c.sun(c.between(200, 760), c.between(130, 220), c.between(56, 90))
	c.clouds(2, 60, 180)
	c.ridge(300, 110, c.p.far, 1)
	c.mist(250)
	c.ridge(375, 90, c.p.mid, 1)
	c.mist(340)
	near := c.ridge(460, 70, c.p.near, 0.6)
	c.pines(near, 5+c.rng.IntN(5), c.p.dark)
	c.ridge(555, 40, c.p.dark, 0.4)
	c.birds(2 + c.rng.IntN(3))
}

// town is a row of gabled houses at a quay, and their reflection.
func (c *canvas) town() {
	c.sky()
	c.sun(c.between(160, 800), c.between(110, 200), c.between(50, 80))
	c.clouds(2, 60, 170)
	c.ridge(340, 70, c.p.far, 1)
	quay := 455.0
	colors := []string{c.p.mid, c.p.accent, c.p.near, c.p.light, c.p.sun, c.p.far}
	last := -1
	for x := -20.0; x < artWidth; {
		w, h := c.between(74, 124), c.between(130, 250)
		i := c.rng.IntN(len(colors))
		if i == last {
			i = (i + 1) % len(colors)
		}
		last = i
		c.gable(x, quay, w, h, colors[i])
		x += w
	}
	c.add(`<rect y="%.0f" width="%d" height="14" fill="%s"/>`, quay, artWidth, c.p.dark)
	c.add(`<rect y="%.0f" width="%d" height="200" fill="%s"/>`, quay+14, artWidth, c.p.near)
	for range 26 {
		c.add(`<rect x="%.0f" y="%.0f" width="%.0f" height="4" rx="2" fill="%s" opacity=".35"/>`,
			c.between(-20, artWidth), c.between(quay+26, 592), c.between(30, 150), colors[c.rng.IntN(len(colors))])
	}
	c.boat(c.between(140, 820), 520, c.between(0.6, 0.85))
}

// gable is one house.
func (c *canvas) gable(x, foot, w, h float64, color string) {
	top := foot - h
	peak := w * c.between(0.4, 0.62)
	c.add(`<path fill="%s" d="M%.0f %.0fV%.0fL%.0f %.0fL%.0f %.0fV%.0fZ"/>`, color, x, foot, top, x+w/2, top-peak, x+w, top, foot)
	c.add(`<path fill="%s" opacity=".16" d="M%.0f %.0fV%.0fL%.0f %.0fV%.0fZ"/>`, c.p.dark, x+w, foot, top, x+w/2, top-peak, foot)
	window, lit := c.p.dark, c.p.light
	if color == c.p.light {
		lit = c.p.sun
	}
	columns := 2 + c.rng.IntN(2)
	gap := w / float64(columns)
	for y := top + 12; y < foot-46; y += 42 {
		for i := range columns {
			fill := window
			if c.rng.IntN(3) > 0 {
				fill = lit
			}
			c.add(`<rect x="%.1f" y="%.0f" width="15" height="23" rx="2" fill="%s"/>`, x+gap*(float64(i)+0.5)-7.5, y, fill)
		}
	}
	c.add(`<circle cx="%.1f" cy="%.1f" r="6" fill="%s"/>`, x+w/2, top-peak*0.38, lit)
}

// arches are a pattern of quarter and half circles, as on old tiles.
func (c *canvas) arches() {
	const size = 120
	grounds := []string{c.p.low, c.p.light, c.p.top, c.p.mid, c.p.near, c.p.far}
	inks := []string{c.p.dark, c.p.accent, c.p.sun, c.p.near, c.p.light}
	other := func(not string) string {
		for {
			if ink := inks[c.rng.IntN(len(inks))]; ink != not {
				return ink
			}
		}
	}
	for y := 0; y < artHeight; y += size {
		for x := 0; x < artWidth; x += size {
			ground := grounds[c.rng.IntN(len(grounds))]
			ink := other(ground)
			c.add(`<g transform="translate(%d %d) rotate(%d 60 60)"><rect width="121" height="121" fill="%s"/>`, x, y, 90*c.rng.IntN(4), ground)
			switch c.rng.IntN(6) {
			case 0:
				c.add(`<path fill="%s" d="M0 0A120 120 0 0 1 120 120H0Z"/><path fill="%s" d="M0 60A60 60 0 0 1 60 120H0Z"/>`, ink, other(ink))
			case 1:
				c.add(`<path fill="%s" d="M0 120A60 60 0 0 1 120 120Z"/><path fill="%s" d="M0 60A60 60 0 0 1 120 60Z"/>`, ink, other(ground))
			case 2:
				c.add(`<circle cx="60" cy="60" r="60" fill="%s"/><circle cx="60" cy="60" r="28" fill="%s"/>`, ink, other(ink))
			case 3:
				c.add(`<path fill="%s" d="M0 0H120L0 120Z"/>`, ink)
			case 4:
				c.add(`<path fill="%s" d="M0 0A120 120 0 0 0 120 120A120 120 0 0 0 0 0Z"/>`, ink)
			default:
				for i := range 3 {
					c.add(`<circle cx="0" cy="120" r="%d" fill="none" stroke="%s" stroke-width="16"/>`, 34+34*i, ink)
				}
			}
			c.add(`</g>`)
		}
	}
}

func (c *canvas) lighthouse() {
	c.sky()
	c.clouds(3, 60, 200)
	x := c.between(300, 660)
	c.sun(x+c.between(-260, 260), c.between(220, 290), c.between(60, 90))
	c.add(`<rect y="380" width="%d" height="220" fill="%s"/>`, artWidth, c.p.mid)
	for range 12 {
		c.add(`<rect x="%.0f" y="%.0f" width="%.0f" height="4" rx="2" fill="%s" opacity=".5"/>`, c.between(-20, artWidth), c.between(394, 470), c.between(40, 160), c.p.far)
	}
	c.add(`<path fill="%s" opacity=".45" d="M%.0f 168L-40 60V210Z"/><path fill="%s" opacity=".45" d="M%.0f 168L%d 90V250Z"/>`, c.p.light, x, c.p.light, x, artWidth+40)
	c.add(`<path fill="%s" d="M%.0f 470Q%.0f 372 %.0f 376T%.0f 470Z"/>`, c.p.dark, x-230, x-110, x, x+230)
	c.add(`<g transform="translate(%.0f 0)"><path fill="%s" d="M-38 392L-24 190H24L38 392Z"/>`, x, c.p.light)
	for i := range 2 {
		y := 230 + 76*float64(i)
		a, b := 24+(y-190)*14/202, 24+(y+38-190)*14/202
		c.add(`<path fill="%s" d="M%.1f %.0fH%.1fL%.1f %.0fH%.1fZ"/>`, c.p.accent, -a, y, a, b, y+38, -b)
	}
	c.add(`<rect x="-32" y="182" width="64" height="10" rx="3" fill="%s"/><rect x="-17" y="150" width="34" height="32" fill="%s"/><path fill="%s" d="M-24 150L0 122L24 150Z"/></g>`,
		c.p.dark, c.p.sun, c.p.dark)
	c.band(462, 12, c.p.near)
	c.band(524, 18, c.p.dark)
	c.birds(3)
}

func (c *canvas) islands() {
	c.sky()
	x := c.between(240, 720)
	c.sun(x, c.between(200, 290), c.between(64, 96))
	c.clouds(3, 60, 170)
	c.add(`<rect y="330" width="%d" height="270" fill="%s"/>`, artWidth, c.p.far)
	c.glitter(x, 344, 440, 120)
	left := c.rng.IntN(2) == 0
	for i, row := range []struct {
		y     float64
		color string
	}{{350, c.p.mid}, {408, c.p.near}, {492, c.p.dark}} {
		w := c.between(300, 420) * (1 + 0.25*float64(i))
		at := c.between(-120, 60)
		if left = !left; left {
			at = artWidth - w - at
		}
		c.island(at, row.y, w, w*c.between(0.13, 0.19), row.color, 4+i)
	}
	c.boat(c.between(380, 580), 448, 0.6)
	c.band(548, 14, c.p.dark)
	c.birds(3)
}

// island is a hump in the water with pines on it, and its shadow below.
func (c *canvas) island(left, y, w, h float64, color string, pines int) {
	top := func(x float64) float64 { // x from 0 to 1
		return y - h*math.Sin(math.Pi*x)*(0.75+0.25*math.Sin(7*x+h))
	}
	for range pines {
		x := c.between(0.22, 0.78)
		ph, foot := c.between(0.5, 1)*h+22, top(x)+8
		c.add(`<path fill="%s" d="M%.0f %.0fL%.0f %.0fH%.0fZ"/>`, color, left+x*w, foot-ph, left+x*w+ph*0.2, foot, left+x*w-ph*0.2)
	}
	c.add(`<path fill="%s" d="M%.0f %.0f`, color, left, y)
	for i := range 25 {
		x := float64(i) / 24
		c.add(`L%.0f %.1f`, left+x*w, top(x))
	}
	c.add(`Z"/><rect x="%.0f" y="%.0f" width="%.0f" height="5" rx="2" fill="%s" opacity=".5"/>`, left+w*0.04, y+7, w*0.92, color)
	c.add(`<rect x="%.0f" y="%.0f" width="%.0f" height="4" rx="2" fill="%s" opacity=".3"/>`, left+w*0.2, y+18, w*0.6, color)
}

// drawHero makes the picture of the first page: a harbour at dusk, dark on the
// left, where words stand on it.
func drawHero() []byte {
	const width, height, quay = 1920, 800, 560.0
	c := &canvas{
		rng: rand.New(rand.NewPCG(7, 11)), //nolint:gosec // a picture, not a secret
		p:   palette{"#1b2a4e", "#f4b183", "#ffd9a0", "#5d5a8a", "#3d3f73", "#262a55", "#151a3a", "#fbe3bd", "#e8705a"},
	}
	c.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" preserveAspectRatio="xMidYMid slice">`, width, height, width, height)
	c.add(`<defs><linearGradient id="s" x1="0" y1="0" x2=".35" y2="1"><stop offset="0" stop-color="#16213f"/><stop offset=".42" stop-color="#4b4a80"/>` +
		`<stop offset=".68" stop-color="#c9788a"/><stop offset="1" stop-color="#f9c48d"/></linearGradient>` +
		`<linearGradient id="w" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="#1a2145"/><stop offset=".7" stop-color="#6a5684"/><stop offset="1" stop-color="#8b6487"/></linearGradient></defs>`)
	c.add(`<rect width="%d" height="600" fill="url(#s)"/>`, width)
	for range 40 {
		c.add(`<circle cx="%.0f" cy="%.0f" r="%.1f" fill="#fff" opacity="%.2f"/>`, c.between(0, 1150), c.between(16, 260), c.between(0.8, 2), c.between(0.3, 0.8))
	}
	c.sun(1330, 430, 118)
	for _, line := range [][3]float64{{980, 150, 260}, {1090, 172, 190}, {1560, 220, 300}, {1500, 244, 200}, {1180, 300, 150}} {
		c.add(`<rect x="%.0f" y="%.0f" width="%.0f" height="13" rx="6" fill="#fbe3bd" opacity=".28"/>`, line[0], line[1], line[2])
	}
	hill := func(y, a, f, p float64, color string) {
		c.add(`<path fill="%s" d="M0 %d`, color, height)
		for x := 0.0; x <= width; x += 32 {
			c.add(`L%.0f %.1f`, x, y-a*math.Sin(f*x/width*6.28+p)-a*0.35*math.Sin(3.1*f*x/width*6.28+p*2))
		}
		c.add(`V%dZ"/>`, height)
	}
	hill(500, 46, 1.2, 2.2, "#6d5f8f")
	hill(530, 30, 1.7, 0.4, "#4a4679")
	c.add(`<rect y="%.0f" width="%d" height="300" fill="url(#w)"/>`, quay, width)
	for y := quay + 12; y < 740; y += 14 {
		spread := 150 * (0.6 + (y-quay)/150)
		w := c.between(0.3, 1) * spread
		c.add(`<rect x="%.0f" y="%.0f" width="%.0f" height="5" rx="2" fill="#ffd9a0" opacity=".6"/>`, 1330-w/2+c.between(-0.3, 0.3)*spread, y, w)
	}
	colors := []string{"#e8705a", "#fbe3bd", "#3f7f88", "#b3536b", "#f2a65a", "#34406e"}
	last := -1
	for x := 1470.0; x < width; {
		w, h := c.between(70, 104), c.between(110, 190)
		i := c.rng.IntN(len(colors))
		if i == last {
			i = (i + 1) % len(colors)
		}
		last = i
		c.gable(x, quay+6, w, h, colors[i])
		x += w
	}
	c.add(`<path fill="#151a3a" d="M1440 %.0fH1920V590H1470Z"/>`, quay+4)
	c.boat(1130, 604, 0.95)
	c.boat(900, 584, 0.5)
	wave := func(y, length, a float64, color string) {
		c.add(`<path fill="%s" d="M-200 %.0f`, color, y)
		for x := -200.0; x < width+length; x += length {
			c.add(`q%.1f %.1f %.1f 0t%.1f 0`, length/4, -a, length/2, length/2)
		}
		c.add(`V%dH-200Z"/>`, height)
	}
	wave(664, 190, 18, "#262a55")
	wave(724, 240, 22, "#151a3a")
	for _, b := range [][2]float64{{1010, 250}, {1050, 232}, {1096, 262}} {
		c.add(`<path fill="none" stroke="#151a3a" stroke-width="4" stroke-linecap="round" d="M%.0f %.0fq8 -10 16 0q8 -10 16 0"/>`, b[0], b[1])
	}
	c.add(`</svg>`)
	return c.Bytes()
}
