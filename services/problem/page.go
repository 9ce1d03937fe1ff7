package problem

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
)

// style is the page's only style sheet; the page's policy names its hash, so
// that not even an injected style would be applied.
const style = `:root{color-scheme:light dark;--paper:#faf6ef;--card:#fffdf9;--line:#e5dac8;--ink:#1b2733;--soft:#59636f;--brand:#0d5c63}
@media(prefers-color-scheme:dark){:root{--paper:#10171b;--card:#182126;--line:#2b373d;--ink:#f1ede4;--soft:#aab4b7;--brand:#84d3ca}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;font:1.0625rem/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);overflow-wrap:anywhere}
main{width:100%;max-width:36rem;padding:clamp(1.25rem,6vw,2.5rem);border:1px solid var(--line);border-top:.375rem solid var(--brand);border-radius:.75rem;background:var(--card)}
h1{margin:0 0 .75rem;font:600 clamp(1.5rem,5vw,2rem)/1.2 Palatino,"P052",Georgia,serif}
p{margin:.75rem 0}
a{color:var(--brand)}
a:focus-visible{outline:3px solid var(--brand);outline-offset:3px;border-radius:2px}
.fine{margin-top:1.75rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.875rem;color:var(--soft)}`

const pageText = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Status}} {{.Title}}</title>
<style>` + style + `</style>
</head>
<body>
<main>
<h1>{{.Heading}}</h1>
{{with .Detail}}<p>{{.}}</p>
{{end}}{{with .Advice}}<p>{{.}}</p>
{{end}}<p><a href="/">Go to the first page</a></p>
<p class="fine"><code>{{.Status}} {{.Code}}</code>{{with .RequestID}}<br>If you ask for help, quote this number: <code>{{.}}</code>{{end}}</p>
</main>
</body>
</html>
`

// forPeople is what a person is told beside a problem's details.
type forPeople struct {
	details
	// Heading says what happened without a word of how we are built, Advice what
	// to do now.
	Heading, Advice string
}

// page renders d for people, who may try again after the seconds retry, if that
// is known. Pages are rare, so the template is parsed for each: that costs
// microseconds and keeps the package free of globals.
func page(d details, retry string) []byte {
	p := forPeople{details: d, Heading: d.Title}
	again := "Wait " + wait(retry) + ", then load this page again."
	switch d.Status {
	case http.StatusTooManyRequests:
		p.Detail = "" // it says the same
		p.Heading, p.Advice = "One moment, please", "That was a lot in a short time. "+again+" Your browser still has what you typed."
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		p.Heading, p.Advice = "We cannot reach this right now", "It is not your fault. "+again
	case http.StatusForbidden:
		p.Advice = "Go back and try it in other words. If you think that we are wrong, tell us the number below."
	case http.StatusNotFound:
		p.Advice = "Check the address: the link may be old, or a letter was lost on the way."
	case http.StatusRequestEntityTooLarge:
		p.Advice = "Go back and send less at once."
	}
	var out bytes.Buffer
	// The template is constant and its data plain: it cannot fail.
	_ = template.Must(template.New("problem").Parse(pageText)).Execute(&out, p)
	return out.Bytes()
}

// wait is a Retry-After as a part of a sentence.
func wait(retry string) string {
	seconds, err := strconv.Atoi(retry)
	switch {
	case err != nil || seconds <= 1:
		return "a moment"
	case seconds < 120:
		return strconv.Itoa(seconds) + " seconds"
	}
	return strconv.Itoa((seconds+59)/60) + " minutes"
}

// pagePolicy forbids the page everything but its own style.
func pagePolicy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
