package problem

import (
	"strings"
	"testing"
)

func TestWhoGetsAPage(t *testing.T) {
	for _, c := range []struct {
		name   string
		accept []string
		page   bool
	}{
		{"no Accept field", nil, false},
		{"curl", []string{"*/*"}, false},
		{"a browser", []string{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}, true},
		{"html alone", []string{"text/html"}, true},
		{"html in capitals", []string{"Text/HTML"}, true},
		{"text of any kind", []string{"text/*"}, true},
		{"text but no html", []string{"text/plain, text/html;q=0"}, false},
		{"html and JSON alike", []string{"text/html, application/json"}, false},
		{"JSON a little less", []string{"application/json;q=0.9, text/html"}, true},
		{"html a little less", []string{"text/html;q=0.8, application/problem+json"}, false},
		{"anything rather than html", []string{"text/html;q=0.1, */*"}, false},
		{"the most specific range decides", []string{"text/html;q=0.2, text/*;q=1, application/json;q=0.5"}, false},
		{"a weight among other parameters", []string{"text/html;level=1;q=0.4, application/json;q=0.3"}, true},
		{"a weight above one is nonsense", []string{"text/html;q=7"}, false},
		{"a weight that is no number", []string{"text/html;q=NaN"}, false},
		{"two fields", []string{"text/html", "text/html"}, false},
		{"a field too long to be a browser's", []string{"text/html" + strings.Repeat(",a/b", maxAccept)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := prefersHTML(c.accept); got != c.page {
				t.Errorf("prefersHTML(%q) = %v", c.accept, got)
			}
		})
	}
}

func TestReadingAcceptAllocatesNothing(t *testing.T) {
	accept := []string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
	if n := testing.AllocsPerRun(100, func() { prefersHTML(accept) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Who wants JSON fully never gets a page, whatever else stands in the field,
// unless that speaks about JSON once more.
func FuzzAccept(f *testing.F) {
	f.Add("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	f.Add("text/html;q=,;;,=")
	f.Fuzz(func(t *testing.T, accept string) {
		if strings.Contains(strings.ToLower(accept), "application/") {
			prefersHTML([]string{accept})
			return
		}
		if prefersHTML([]string{"application/json," + accept}) {
			t.Errorf("%q beats JSON that is wanted fully", accept)
		}
	})
}
