package problem

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
)

// style is the page's only style sheet; the page's policy names its hash, so
// that not even an injected style would be applied.
const style = `body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color:#222;background:#fff}h1{font-size:1.4rem}code{color:#555}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}code{color:#aaa}}`

const pageText = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Status}} {{.Title}}</title>
<style>` + style + `</style>
</head>
<body>
<h1>{{.Title}}</h1>
{{with .Detail}}<p>{{.}}</p>
{{end}}<p><code>{{.Status}} {{.Code}}</code></p>
{{with .RequestID}}<p>If you ask for help, quote this number: <code>{{.}}</code></p>
{{end}}</body>
</html>
`

// page renders d for people. Pages are rare, so the template is parsed for
// each: that costs microseconds and keeps the package free of globals.
func page(d details) []byte {
	var out bytes.Buffer
	// The template is constant and its data plain: it cannot fail.
	_ = template.Must(template.New("problem").Parse(pageText)).Execute(&out, d)
	return out.Bytes()
}

// pagePolicy forbids the page everything but its own style.
func pagePolicy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
