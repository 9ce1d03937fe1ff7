package reporting_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/reporting"
)

// samples are requests of every kind, plain and as unpleasant as they are taken.
func samples(t testing.TB) map[string]hotel.DocumentRequest {
	t.Helper()
	greek := receipt(t, "confirmation-r-1")
	greek.Kind = hotel.Confirmation
	greek.Reservation.HotelName, greek.Reservation.City = "Ξενοδοχείο Ακρόπολις", "Αθήνα"
	greek.Reservation.Name, greek.Reservation.Payment = "Ελένη Παπαδοπούλου", nil
	greek.Reservation.Note = "We arrive late. Большое спасибо!"
	greek.Reservation.Total = hotel.Money{Amount: 12345600, Currency: "JPY"}

	cyrillic := receipt(t, "receipt-r-2")
	cyrillic.Reservation.HotelName, cyrillic.Reservation.City = "Гостиница «Нева»", "Санкт-Петербург"
	cyrillic.Reservation.Name = "Александр Ёжиков-Щербаков"
	gone := time.Date(2027, 1, 5, 23, 30, 0, 0, time.FixedZone("west", -5*3600)) // the 6th in UTC
	cyrillic.Reservation.State, cyrillic.Reservation.Cancelled = hotel.Cancelled, &gone
	cyrillic.Reservation.Payment.Status = hotel.ChargeRefunded

	long := receipt(t, strings.Repeat("r", 64))
	long.Kind = hotel.Confirmation
	long.Reservation.ID = strings.Repeat("w", 64)
	long.Reservation.Name, long.Reservation.Note = strings.Repeat("W", 100), strings.Repeat("M", 500)
	long.Reservation.HotelName, long.Reservation.City = strings.Repeat("Grand ", 33), strings.Repeat("Щ", 200)
	long.Reservation.Total = hotel.Money{Amount: 1e12, Currency: "KWD"}

	odd := receipt(t, "odd")
	odd.Kind = hotel.Confirmation
	odd.Reservation.Name = "עדה לוולייס 👩🏽‍🚀 e\u0301 \u202eevil\u202c"
	odd.Reservation.HotelName, odd.Reservation.City = "H\x00tel 日本", "Zürich\n\n\tWest"
	odd.Reservation.Note = "a\u200db ﷽ \ue000 \ufffd e" + strings.Repeat("\u0301", 300)

	pages := statement(t, "statement-2")
	for len(pages.Lines) < 200 {
		pages.Lines = append(pages.Lines, pages.Lines[len(pages.Lines)%3])
	}
	pages.Lines[7].Text = strings.Repeat("Щ", 200)
	pages.Lines[8].Amount = hotel.Money{Amount: -1e12, Currency: "KWD"}
	return map[string]hotel.DocumentRequest{
		"latin": receipt(t, "receipt-r-1"), "greek": greek, "cyrillic": cyrillic, "long": long, "odd": odd,
		"statement": statement(t, "statement-1"), "pages": pages,
	}
}

const proofAt = verifyAt + "/receipt-r-1/0123456789abcdefghjkmnpq"

func set(t testing.TB, r hotel.DocumentRequest) []byte {
	t.Helper()
	if err := reporting.Check(r); err != nil {
		t.Fatal(err)
	}
	pdf, err := reporting.Render(r, proofAt)
	if err != nil {
		t.Fatal(err)
	}
	return pdf
}

// sums is what this process makes of the samples, one a line.
func sums(t testing.TB) string {
	var lines strings.Builder
	for _, name := range []string{"latin", "greek", "cyrillic", "long", "odd", "statement", "pages"} {
		fmt.Fprintf(&lines, "%s %x\n", name, sha256.Sum256(set(t, samples(t)[name])))
	}
	return lines.String()
}

// asChild tells a test that it runs in a process of its own.
const asChild = "REPORTING_SUMS_INTO"

// Nothing of a process, its place, its time or what it did before is in a
// document.
func TestTwoProcessesMakeTheSameBytes(t *testing.T) {
	if into := os.Getenv(asChild); into != "" {
		set(t, samples(t)["odd"])
		if err := os.WriteFile(into, []byte(sums(t)), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want := sums(t)
	for name, env := range map[string][]string{
		"far in the east":            {"TZ=Pacific/Kiritimati", "LANG=ar_EG.UTF-8", "GOMAXPROCS=1"},
		"far in the west, much time": {"TZ=Pacific/Niue", "LANG=C", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=7", "GOGC=10"},
	} {
		t.Run(name, func(t *testing.T) {
			into := filepath.Join(t.TempDir(), "sums")
			child := exec.CommandContext(t.Context(), self, "-test.run=^TestTwoProcessesMakeTheSameBytes$")
			child.Env = append(append(os.Environ(), env...), asChild+"="+into)
			child.Dir = t.TempDir()
			if out, err := child.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			got, err := os.ReadFile(into)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("there:\n%shere:\n%s", got, want)
			}
		})
	}
}

func TestManyAtOnceMakeTheSameBytes(t *testing.T) {
	want := set(t, samples(t)["greek"])
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := []string{"greek", "latin"}[i%2]
			pdf, err := reporting.Render(samples(t)[name], proofAt)
			if err != nil || (name == "greek") != bytes.Equal(pdf, want) {
				t.Errorf("%s: %v, or other bytes", name, err)
			}
		})
	}
	all.Wait()
}

func TestWhatADocumentTurnsOn(t *testing.T) {
	r := receipt(t, "receipt-r-1")
	first := set(t, r)
	r.Date++
	if bytes.Equal(first, set(t, r)) {
		t.Error("another day makes the same document")
	}
	r.Date--
	other, err := reporting.Render(r, proofAt+"x")
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("another code makes the same document (%v)", err)
	}
}

// poppler runs one of its programs on a PDF.
func poppler(t *testing.T, pdf []byte, program string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "document.pdf")
	if err := os.WriteFile(path, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	command := exec.CommandContext(t.Context(), program, append(args, path, "-")...)
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s (Debian's poppler-utils; deploy/prepare.sh installs it): %v: %s", program, err, &complaints)
	}
	if complaints.Len() > 0 {
		t.Errorf("%s complains: %s", program, &complaints)
	}
	return string(out)
}

func TestWhatStandsOnADocument(t *testing.T) {
	for name, want := range map[string][]string{
		"latin": {
			"RECEIPT", "2 January 2027", "The Lighthouse", "Helsinki", "Aino Virtanen", "r-1", "10", "January 2027", "Sunday", "12", "Tuesday",
			"2 nights", "2 guests", "Room for 2 guests, 2 nights", "€189.00 a night", "€378.00", "Total", "Paid by card ending in 4242",
			"Verify at " + proofAt, "Document receipt-r-1",
		},
		"greek": {
			"CONFIRMATION", "Ξενοδοχείο Ακρόπολις", "Αθήνα", "Ελένη Παπαδοπούλου", "JPY 12,345,600", "To be paid at the hotel",
			"We arrive late. Большое спасибо!",
		},
		"cyrillic": {
			"Гостиница «Нева»", "Санкт-Петербург", "Александр Ёжиков-Щербаков", "Paid back to the card ending in 4242",
			"This reservation was cancelled on 6 January 2027.",
		},
		"odd":       {"H□tel □□", "Zürich West", "□□□ □□□□□□□ □□ é □evil□", "a□b □ □ □ é"},
		"long":      {"KWD 1,000,000,000.000", "Page 1 of 2", "Page 2 of 2", "Document " + strings.Repeat("r", 64)},
		"statement": {"STATEMENT", "January 2027", "Ελένη Παπαδοπούλου", "2 Jan 2027", "−€99.00", "Refund: Гостиница «Нева»", "□□, 1 night", "JPY 12,000", "3 payments", "€279.00"},
		"pages":     {"200 payments", "−KWD 1,000,000,000.000", "Page 9 of 9"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Join(strings.Fields(poppler(t, set(t, samples(t)[name]), "pdftotext", "-layout")), " ")
			flat := strings.Join(strings.Fields(poppler(t, set(t, samples(t)[name]), "pdftotext")), " ")
			for _, w := range want {
				w = strings.ReplaceAll(w, "\u00a0", " ")
				if !strings.Contains(text, w) && !strings.Contains(flat, w) {
					t.Errorf("%q is not in it: %.800s", w, text)
				}
			}
		})
	}
}

func TestAReceiptDoesNotTellTheNote(t *testing.T) {
	if text := poppler(t, set(t, samples(t)["latin"]), "pdftotext"); strings.Contains(text, "quiet") {
		t.Error("it does")
	}
}

// words is what pdftotext -bbox tells.
type words struct {
	Pages []struct {
		Width  float64 `xml:"width,attr"`
		Height float64 `xml:"height,attr"`
		Words  []struct {
			XMin float64 `xml:"xMin,attr"`
			YMin float64 `xml:"yMin,attr"`
			XMax float64 `xml:"xMax,attr"`
			YMax float64 `xml:"yMax,attr"`
			Text string  `xml:",chardata"`
		} `xml:"word"`
	} `xml:"body>doc>page"`
}

func TestNothingStandsInTheMargin(t *testing.T) {
	const margin = 30 // half of that of the design, which large letters' sides reach into
	for name, r := range samples(t) {
		t.Run(name, func(t *testing.T) {
			var w words
			if err := xml.Unmarshal([]byte(poppler(t, set(t, r), "pdftotext", "-bbox")), &w); err != nil {
				t.Fatal(err)
			}
			if len(w.Pages) == 0 || len(w.Pages[0].Words) < 10 {
				t.Fatalf("read %+v", w)
			}
			for i, page := range w.Pages {
				for _, word := range page.Words {
					if word.XMin < margin || word.YMin < margin || word.XMax > page.Width-margin || word.YMax > page.Height-margin+6 {
						t.Errorf("page %d: %q reaches into the margin: %+v", i+1, word.Text, word)
					}
				}
			}
		})
	}
}

func TestADocumentIsSmall(t *testing.T) {
	for name, r := range samples(t) {
		if n := len(set(t, r)); n > 200<<10 {
			t.Errorf("%s has %d bytes", name, n)
		}
	}
}

// Whatever is taken becomes a PDF.
func FuzzRequest(f *testing.F) {
	for _, r := range samples(f) {
		if len(r.Lines) > 100 {
			continue
		}
		raw, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r hotel.DocumentRequest
		if len(body) > 64<<10 || json.Unmarshal(body, &r) != nil || reporting.Check(r) != nil {
			return
		}
		pdf, err := reporting.Render(r, verifyAt+"/"+r.ID+"/0123456789abcdefghjkmnpq")
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if !bytes.HasPrefix(pdf, []byte("%PDF-")) || !bytes.HasSuffix(bytes.TrimSpace(pdf), []byte("%%EOF")) || len(pdf) > 1<<20 {
			t.Fatalf("%s became %d bytes that are no PDF", body, len(pdf))
		}
	})
}

func BenchmarkRender(b *testing.B) {
	for _, name := range []string{"latin", "pages"} {
		b.Run(name, func(b *testing.B) {
			r := samples(b)[name]
			for b.Loop() {
				set(b, r)
			}
		})
	}
}
