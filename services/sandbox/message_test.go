package sandbox

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

const alternative = `From: =?iso-8859-1?q?H=F6tel?= <no-reply@hotel.test>
Subject: Confirm
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

https://localhost:8444/verify?code=3Da=
b
--inner
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHA+SGVsbG88L3A+
--inner--
--outer
Content-Type: application/pdf
Content-Disposition: attachment; filename="../../etc/cron.d/bill 1.pdf"

%PDF
--outer--
`

func TestWhatIsReadOfAMail(t *testing.T) {
	m := parse([]byte(strings.ReplaceAll(alternative, "\n", "\r\n")))
	if m.From != "Hötel <no-reply@hotel.test>" || m.Subject != "Confirm" {
		t.Errorf("from %q, subject %q", m.From, m.Subject)
	}
	if m.Text != "https://localhost:8444/verify?code=ab" {
		t.Errorf("text %q", m.Text)
	}
	if m.HTML != "<p>Hello</p>" {
		t.Errorf("HTML %q", m.HTML)
	}
	if len(m.Attachments) != 1 || m.Attachments[0].Name != "bill_1.pdf" || string(m.Attachments[0].Data) != "%PDF" {
		t.Errorf("attachments %+v", m.Attachments)
	}
	if len(m.Notes) != 0 {
		t.Errorf("notes %q", m.Notes)
	}
}

// nested is a mail of depth multiparts, one in the other.
func nested(depth int) string {
	var b strings.Builder
	b.WriteString("Subject: deep\n")
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	b.WriteString("\nat the bottom\n")
	return b.String()
}

func TestMailThatIsBrokenIsShownAndSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		mail, text, note string
	}{
		"no mail at all":               {"hello\nworld", "hello\nworld", "not a mail"},
		"a header that is no text":     {"\xba\n\nx", "\uFFFD\n\nx", "line: \uFFFD"},
		"no boundary":                  {"Content-Type: multipart/mixed\n\nx", "", "no boundary"},
		"a content type of nonsense":   {"Content-Type: ;;;\n\nx", "x", "Content-Type"},
		"an unknown charset":           {"Content-Type: text/plain; charset=klingon\n\nx", "x", `"klingon"`},
		"an unknown transfer encoding": {"Content-Transfer-Encoding: rot13\n\nx", "x", `"rot13"`},
		"base64 that is none":          {"Content-Transfer-Encoding: base64\n\n!!!!", "", "broken"},
		"parts that just stop":         {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx", "x", "broken"},
		"as deep as is read":           {nested(maxDepth), "at the bottom", "end early"},
		"parts within parts for ever":  {nested(maxDepth + 1), "", "nested more than 8 deep"},
		"parts without end": {
			"Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\n\n", maxParts+1), "", "beyond the first 100",
		},
		"a header without end": {"X-Long: " + strings.Repeat("x", maxHeader) + "\n\nx", "x", "left out"},
	} {
		t.Run(name, func(t *testing.T) {
			m := parse([]byte(c.mail))
			if m.Text != c.text || !strings.Contains(strings.Join(m.Notes, "\n"), c.note) {
				t.Errorf("text %q, notes %q; want %q and one that says %q", m.Text, m.Notes, c.text, c.note)
			}
		})
	}
}

func TestLatin1IsRead(t *testing.T) {
	if m := parse([]byte("Content-Type: text/plain; charset=ISO-8859-1\n\ngr\xfc\xdfe")); m.Text != "grüße" || len(m.Notes) != 0 {
		t.Errorf("text %q, notes %q", m.Text, m.Notes)
	}
}

func TestNamesOfAttachmentsAreHarmless(t *testing.T) {
	for given, want := range map[string]string{
		"bill.pdf": "bill.pdf", "": "part-3", "..": "part-3", "../../x": "x", `C:\evil.exe`: "evil.exe", ".bashrc": "bashrc", "-rf": "rf",
		"a\r\nb": "a__b", "日本": "part-3", strings.Repeat("n", 200): strings.Repeat("n", maxName),
	} {
		if got := fileName(given, "", 3); got != want {
			t.Errorf("%q becomes %q, want %q", given, got, want)
		}
	}
}

func FuzzMail(f *testing.F) {
	f.Add([]byte(alternative))
	f.Add([]byte(strings.ReplaceAll(greeting, "\n", "\r\n")))
	f.Add([]byte(nested(3)))
	f.Add([]byte("hello"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := parse(raw)
		for _, s := range append([]string{m.From, m.Subject, m.Text, m.HTML}, m.Notes...) {
			if !utf8.ValidString(s) {
				t.Errorf("%q is not UTF-8", s)
			}
		}
		if len(m.Attachments) > maxParts+1 || len(m.From) > maxLine+3 || len(m.Subject) > maxLine+3 {
			t.Errorf("beyond the bounds: %d attachments, from %d, subject %d", len(m.Attachments), len(m.From), len(m.Subject))
		}
		// What is kept is about what was sent, or few mails would fill the memory.
		if most := 4*len(raw) + 16<<10; m.size() > most {
			t.Errorf("%d bytes became %d", len(raw), m.size())
		}
	})
}
