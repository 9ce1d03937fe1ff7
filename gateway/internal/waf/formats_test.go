package waf

import (
	"log/slog"
	"strings"
	"sync"
	"testing"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// everyFormat is one inspector for all tests that takes all bodies there are.
var everyFormat = sync.OnceValues(func() (*Inspector, error) {
	return New(Config{Profile: Profile{Name: "uploads", Formats: allFormats}, Log: slog.New(slog.DiscardHandler)})
})

// decided is what becomes of a body in a profile that takes all formats: the
// denial, or none, and the sentence that the client is told.
func decided(t *testing.T, media, body string) (problem.Code, string, *pipeline.Transaction) {
	t.Helper()
	i, err := everyFormat()
	if err != nil {
		t.Fatal(err)
	}
	tx := request("POST", "/v1/files", media, body)
	again := copied(t, tx)
	d := through(i, NewGate(0), tx)
	sameInEveryMode(t, i, tx, again, d)
	if d.Problem == nil {
		if d.Kind != pipeline.Allow {
			t.Fatalf("%v: %v", d.Kind, d.Problem)
		}
		return "", "", tx
	}
	return d.Problem.Code, d.Problem.Detail, tx
}

// crlf writes line feeds as a form has them.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

const ordinaryForm = `--AaB03x
Content-Disposition: form-data; name="note"

it's a quiet room, please
--AaB03x
Content-Disposition: form-data; name="photo"; filename="summer 2026 (1).jpg"
Content-Type: image/jpeg

` + "\xff\xd8\xff\xe0\x00\x10JFIF\x00\n--not a boundary\n" + `
--AaB03x--
`

func TestOrdinaryBodiesOfEveryFormatPassAndAreProved(t *testing.T) {
	t.Parallel()
	const form = "multipart/form-data; boundary=AaB03x"
	for name, tc := range map[string]struct{ media, body string }{
		"a form with a file":              {form, crlf(ordinaryForm)},
		"a boundary in quotes":            {`multipart/form-data; boundary="AaB03x"`, crlf(ordinaryForm)},
		"a form without a part":           {form, "--AaB03x--\r\n"},
		"a file that was not chosen":      {form, crlf("--AaB03x\nContent-Disposition: form-data; name=\"photo\"; filename=\"\"\nContent-Type: application/octet-stream\n\n\n--AaB03x--\n")},
		"names without quotes, as .NET":   {form, crlf("--AaB03x\nContent-Type: text/plain; charset=utf-8\nContent-Disposition: form-data; name=note\n\nhello\n--AaB03x--\n")},
		"an XML document":                 {"application/xml", `<?xml version="1.0" encoding="UTF-8"?><order id="17"><note>it's a quiet room &amp; sunny</note></order>`},
		"a SOAP request":                  {"text/xml; charset=utf-8", `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><GetHotel><Id>17</Id></GetHotel></soap:Body></soap:Envelope>`},
		"CDATA that is all of an element": {"application/soap+xml", "<note>\n<![CDATA[it's <b>quiet</b>]]>\n</note>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, detail, tx := decided(t, tc.media, tc.body)
			if code != "" {
				t.Fatalf("%s: %s", code, detail)
			}
			if !tx.WAF.Proof.Clean {
				t.Errorf("not proved: rule %d, %s", tx.WAF.Proof.Rule, tx.WAF.Proof.Why)
			}
		})
	}
}

// TestJSONThatIsNotUTF8IsRefused: some decoders make a quote of two bytes.
func TestJSONThatIsNotUTF8IsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"1\xc0\xa7 OR \xc0\xa71\xc0\xa7=\xc0\xa71", "1\xe0\x80\xa7", "\xff", "\xed\xa0\x80"} {
		code, detail, _ := decided(t, jsonMedia, `{"note": "`+text+`"}`)
		if code != problem.BadRequest || !strings.Contains(detail, "UTF-8") {
			t.Errorf("%q: %s %q", text, code, detail)
		}
	}
}

func discarded() *slog.Logger { return slog.New(slog.DiscardHandler) }
