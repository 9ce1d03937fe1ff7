package proof

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"portcullis/gateway/internal/waf/collect"
)

// ordinary are texts without an attack, whose neighbourhood is as interesting.
var ordinary = []string{
	"O'Brien", "it's a nice room", "**bold** and _em_ `code`", "a < b && c > d", "{\"query\":\"{ me { name } }\"}", "SELECT a seat", "50% off; 2 for 1",
	"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "aGVsbG8gd29ybGQ=", "https://example.com/a/b?c=d#e", "日本語のテキスト", "naïve café", "🎉 party", "../up",
	"C:\\Users\\me", "1,2;3", "x=1&y=2", "<b>hi</b>", "function f() { return 1 }", "2027-01-10T12:00:00Z", "+358 40 123 4567", "a--b", "#tag", "$5 (five)",
}

var fragments = []string{
	"ſ", "\u212a", "İ", "\u00a0", "\u2028", "é", "%27", "%u0027", "%uff07", "&lt;", "&#39;", "&#x3c", `\u003c`, `\x27`, `\u{27}`, "/**/", "--", "${", "$(", "<!--",
	"../", `..\`, "%2e%2e%2f", "%00", "+", "\r\n", "select", "union", "script", "onload=", "javascript:", "eval(", "\xc5", "\xbf", "＜", "／", "；", "cmd",
	"/etc/passwd", "base64", "=", "1", " or ", " and ", "%c0%ae", "%EF%BC%9C", "jndi", "\xac\xed\x00\x05", "rO0ABQ",
}

const specials = "'\"`;|&$<>(){}[]\\/=#*%+-_.,:~!?@^ \t\n\r\v\f\x00\x01\x7f\x80\xbc\xbe\xa0\xc3\xff"

// near changes a text a little: a near miss of an attack, or a near hit.
func near(s string, rnd *rand.Rand, all []string) string {
	b := []byte(s)
	if len(b) > 120 && rnd.IntN(4) > 0 {
		i := rnd.IntN(len(b))
		b = b[i:min(len(b), i+10+rnd.IntN(110))]
	}
	splice := func(i, width int, with string) {
		b = append(b[:i:i], append([]byte(with), b[min(len(b), i+width):]...)...)
	}
	for range rnd.IntN(5) {
		if len(b) == 0 {
			b = []byte("a")
		}
		i := rnd.IntN(len(b))
		switch rnd.IntN(12) {
		case 0:
			b[i] = specials[rnd.IntN(len(specials))]
		case 1:
			splice(i, 0, string(specials[rnd.IntN(len(specials))]))
		case 2:
			splice(i, 1+rnd.IntN(3), "")
		case 3:
			b[i] ^= 0x20
		case 4:
			splice(i, 0, fragments[rnd.IntN(len(fragments))])
		case 5:
			other := all[rnd.IntN(len(all))]
			j := rnd.IntN(len(other))
			splice(i, len(b), other[j:min(len(other), j+rnd.IntN(40))])
		case 6:
			b = b[i:]
		case 7:
			b = b[:i+1]
		case 8: // encode one byte
			encodings := []string{"%%%02x", "%%u00%02x", "&#%d;", `\x%02x`, `\u00%02x`, "&#x%x;", "%%25%02x"}
			splice(i, 1, fmt.Sprintf(encodings[rnd.IntN(len(encodings))], b[i]))
		case 9:
			if folds := map[byte]string{'s': "ſ", 'k': "\u212a", 'i': "İ"}[b[i]|0x20]; folds != "" {
				splice(i, 1, folds)
			}
		case 10:
			if rnd.IntN(4) == 0 {
				b = []byte(base64.StdEncoding.EncodeToString(b))
			}
		case 11:
			b = []byte(strings.ToUpper(string(b)))
		}
		b = b[:min(len(b), 600)]
	}
	return string(b)
}

// quoted is a JSON string, with more escapes than it needs.
func quoted(s string, rnd *rand.Rand) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c < 0x80 && rnd.IntN(60) == 0:
			fmt.Fprintf(&b, `\u%04x`, c)
		case c == '/' && rnd.IntN(4) == 0:
			b.WriteString(`\/`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// inLine makes a text that may stand in a header field.
func inLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return ' '
		}
		return r
	}, s))
}

// place puts a text somewhere in a request.
func place(s string, rnd *rand.Rand) *request {
	escape := url.QueryEscape
	if rnd.IntN(4) == 0 {
		escape = func(s string) string { // raw where it can be
			var b strings.Builder
			for i := range len(s) {
				if c := s[i]; c <= ' ' || c == '&' || c == '#' || c == 0x7f {
					fmt.Fprintf(&b, "%%%02X", c)
				} else {
					b.WriteByte(c)
				}
			}
			return b.String()
		}
	}
	r := &request{Head: collect.Head{Method: "GET", Target: "/api/items", Proto: "HTTP/1.1", Source: "203.0.113.7", Fields: []collect.Field{
		{Name: "Host", Value: "api.example.com"}, {Name: "User-Agent", Value: "Mozilla/5.0"}, {Name: "Accept", Value: "*/*"},
	}}}
	add := func(name, value string) { r.Fields = append(r.Fields, collect.Field{Name: name, Value: value}) }
	body := func(media, text string) {
		r.Method, r.body = "POST", text
		add("Content-Type", media)
		add("Content-Length", strconv.Itoa(len(text)))
	}
	pick := func(names ...string) string { return names[rnd.IntN(len(names))] }
	switch rnd.IntN(26) {
	case 0, 1, 2:
		r.Target += "?q=" + escape(s) + "&page=2"
	case 3:
		r.Target += "?" + escape(s) + "=1"
	case 4, 5:
		body("application/json", `{"a":{"b":[1,`+quoted(s, rnd)+`]},"c":true}`)
	case 6:
		body("application/json", `{`+quoted(s, rnd)+`:"x","n":null}`)
	case 7:
		body("application/x-www-form-urlencoded", "a=1&text="+escape(s))
	case 8:
		body("application/x-www-form-urlencoded", escape(s)+"=1&b=2")
	case 9:
		add("Cookie", "sid=abc; x="+inLine(s))
	case 10:
		add("Cookie", inLine(strings.ReplaceAll(s, "=", ""))+"=1")
	case 11:
		r.Fields[1].Value = inLine(s)
	case 12:
		add("Referer", "https://app.example.com/"+inLine(s))
	case 13:
		add(pick("X-Custom", "X-Filename", "Range", "Content-Type", "Accept-Encoding", "Accept", "Connection", "Origin", "Content-Length", "Cache-Control"), inLine(s))
	case 14:
		r.Target = "/" + (&url.URL{Path: s}).EscapedPath()
		if rnd.IntN(3) == 0 {
			r.Target = "/" + strings.Map(func(r rune) rune {
				if r <= ' ' || r == 0x7f {
					return '_'
				}
				return r
			}, s)
		}
	case 15:
		body(pick("text/plain", "application/octet-stream", "application/vnd.api+json", "application/json; charset=utf-8", "multipart/form-data; boundary=x", "text/xml"), s)
	case 16: // several places: a chain may need more than one
		r.Target += "?sessionid=" + escape(s)
		add("Referer", "https://"+pick("api", "evil")+".example.com/"+inLine(s))
		add(inLine(strings.Map(func(r rune) rune {
			if r > ' ' && r < 0x7f && r != ':' {
				return r
			}
			return -1
		}, s[:min(len(s), 30)]))+"X", "1")
	case 17:
		r.Method = pick("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE")
		r.Target += "?" + pick("_method", "url", "q") + "=" + escape(s)
		if rnd.IntN(2) == 0 {
			r.Fields = r.Fields[:1+rnd.IntN(2)]
		}
		if rnd.IntN(2) == 0 {
			add("Content-Length", pick("0", "12", ""))
		}
	case 18, 19:
		media, text := form(s, rnd)
		body(media, text)
	case 20:
		media, text := form(s, rnd)
		body(media, cut(text, rnd)) // not quite a form
	case 21, 22:
		body(pick("text/xml", "application/xml; charset=utf-8", "application/soap+xml"), document(s, rnd))
	case 23:
		body("text/xml", cut(document(s, rnd), rnd))
	case 24: // XML where a word of it decides, or a form under two types
		body("text/xml", document(pick("x", "<!-- c -->", "<![CDATA["+s+"]]>", "&#60;script&#62;", s), rnd))
	case 25:
		media, text := form(s, rnd)
		add("Content-Type", pick("application/json", "text/xml", media))
		body(media, text)
	}
	return r
}

// setting is a number from the environment.
func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// TestRequestsNearAttacksFindNoWrongClean asks the engine about every request
// that is said to be clean. PROOF_SEED repeats a run, PROOF_ROUNDS and
// PROOF_PARANOIA lead it elsewhere.
func TestRequestsNearAttacksFindNoWrongClean(t *testing.T) {
	t.Parallel()
	seed, rounds, paranoia := setting("PROOF_SEED", 1), setting("PROOF_ROUNDS", fuzzRounds), setting("PROOF_PARANOIA", 1)
	p, w := shared(t)
	if paranoia != 1 {
		p, w = program(t, paranoia, ""), engine(t, paranoia, "")
	}
	all := append(payloads(t), ordinary...)
	const workers = 2
	var waiting sync.WaitGroup
	var clean, unsure, sampled, real [workers]int
	for worker := range workers {
		waiting.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(seed), uint64(worker)))
			for range rounds / workers {
				from := all
				if rnd.IntN(5) == 0 {
					from = ordinary
				}
				s := near(from[rnd.IntN(len(from))], rnd, all)
				if s == "" {
					continue
				}
				r := place(s, rnd)
				if !p.asked(r).Clean {
					if unsure[worker]++; unsure[worker]%20 == 0 {
						sampled[worker]++
						if effects(w, r) != "" {
							real[worker]++
						}
					}
					continue
				}
				clean[worker]++
				if found := effects(w, r); found != "" {
					t.Errorf("said to be clean, the engine: %s\n%v", found, r)
					return
				}
			}
		})
	}
	waiting.Wait()
	sum := func(n [workers]int) int { return n[0] + n[1] }
	t.Logf("paranoia %d, seed %d: %d clean, each asked of the engine; %d unsure, of %d sampled %d have an effect; %+v", paranoia, seed,
		sum(clean), sum(unsure), sum(sampled), sum(real), p.Stats())
	if sum(clean) < rounds/4 {
		t.Errorf("only %d of %d requests are clean: the test is broken, or the proof useless", sum(clean), rounds)
	}
}
