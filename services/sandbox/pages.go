package sandbox

import (
	"embed"
	"html/template"
	"net/http"
	"regexp"
	"strings"
	"time"
)

//go:embed pages
var files embed.FS

func parsePages() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"linked": linker(),
		"when":   func(t time.Time) string { return t.Format("2006-01-02 15:04:05 UTC") },
		"stamp":  func(t time.Time) string { return t.Format(time.RFC3339) },
		"people": func(to []string) string { return strings.Join(to, ", ") },
		"inc":    func(i int) int { return i + 1 },
	}).ParseFS(files, "pages/*.html")
}

func style(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, files, "pages/style.css")
}

// piece is a run of text, or an address to be clicked.
type piece struct{ Text, Link string }

// linker gives a function that cuts a text into pieces. Only http and https
// become links: anything else in a mail (javascript:, data:, file:) stays text.
// What ends a sentence is not part of a link.
func linker() func(text string) []piece {
	web := regexp.MustCompile(`https?://[^\s<>"'` + "`" + `]*[^\s<>"'` + "`" + `.,;:!?)\]}]`)
	return func(text string) []piece {
		var all []piece
		last := 0
		for _, at := range web.FindAllStringIndex(text, -1) {
			if at[0] > last {
				all = append(all, piece{Text: text[last:at[0]]})
			}
			all = append(all, piece{Link: text[at[0]:at[1]]})
			last = at[1]
		}
		if last < len(text) {
			all = append(all, piece{Text: text[last:]})
		}
		return all
	}
}
