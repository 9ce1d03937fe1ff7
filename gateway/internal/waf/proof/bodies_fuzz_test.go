package proof

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// form is a multipart form with a text somewhere in it.
func form(s string, rnd *rand.Rand) (media, body string) {
	pick := func(names ...string) string { return names[rnd.IntN(len(names))] }
	quotable := strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r == 0x7f {
			return '_'
		}
		return r
	}, s[:min(len(s), 120)])
	boundary := pick("x", "----WebKitFormBoundaryAaB03x", "d74496d66958873e")
	var b strings.Builder
	part := func(header, content string) {
		fmt.Fprintf(&b, "--%s\r\n%s\r\n\r\n%s\r\n", boundary, header, content)
	}
	if rnd.IntN(2) == 0 {
		part(`Content-Disposition: form-data; name="page"`, "2")
	}
	switch rnd.IntN(6) {
	case 0, 1:
		part(`Content-Disposition: form-data; name="q"`, s)
	case 2:
		part(`Content-Disposition: form-data; name="`+quotable+`"`, "1")
	case 3:
		part(`Content-Disposition: form-data; name="photo"; filename="`+quotable+`"`+"\r\nContent-Type: "+pick("image/jpeg", "text/plain", "text/plain; charset=utf-8"), s)
	case 4:
		part(pick("content-disposition", "Content-Disposition")+": form-data; name=q\r\n"+pick("Content-Type", "content-type", "X-Note", "Content-Transfer-Encoding")+": "+inLine(s), "1")
	case 5:
		part(`Content-Disposition: form-data; name="`+pick("_charset_", "q", "a.b", "json.x")+`"`+pick("", `; filename=""`, `; filename="a.php"`), s)
	}
	b.WriteString("--" + boundary + "--" + pick("", "\r\n"))
	return "multipart/form-data; boundary=" + pick(boundary, `"`+boundary+`"`), b.String()
}

// document is an XML document with a text somewhere in it.
func document(s string, rnd *rand.Rand) string {
	pick := func(names ...string) string { return names[rnd.IntN(len(names))] }
	escaped := strings.NewReplacer("&", "&amp;", "<", pick("&lt;", "&#60;", "&#x3c;"), ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(s)
	element := pick("note", "soap:Body", "link", "a")
	open := pick("", `<?xml version="1.0" encoding="UTF-8"?>`, "<?xml version='1.0'?>\n")
	switch rnd.IntN(5) {
	case 0, 1:
		return open + "<order><" + element + ">" + escaped + "</" + element + "></order>"
	case 2:
		return open + `<order id="17" note="` + escaped + `"/>`
	case 3:
		return open + "<order>\r\n<![CDATA[" + s + "]]>\n</order>\n"
	default:
		return open + "<order><a>x</a>" + s + "</order>"
	}
}

// cut damages the framing of a body: something is put in, left out or said twice.
func cut(body string, rnd *rand.Rand) string {
	splices := []string{"\r\n", "\n", "--x", "--x--", "--", "\x00", " ", `"`, "'", ";", ":", "=", "name", `; filename="a"`, "<", ">", "</a>", "&", "&lt;", "<!--", "-->", "<!DOCTYPE a>", "<?a?>", "]]>", "é", "\xff"}
	at := rnd.IntN(len(body) + 1)
	end := min(len(body), at+rnd.IntN(16))
	switch rnd.IntN(3) {
	case 0:
		return body[:at] + splices[rnd.IntN(len(splices))] + body[at:]
	case 1:
		return body[:at] + body[end:]
	default:
		return body[:end] + body[at:]
	}
}
