package proof

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corazawaf/coraza/v3"
)

// bodied tells of what kind a request's body is.
func bodied(r *request) (kind string) {
	if r.body == "" {
		return ""
	}
	media := strings.ToLower(contentType(&r.Head))
	switch {
	case strings.HasPrefix(media, "multipart/form-data"):
		return "multipart"
	case strings.HasPrefix(media, "text/xml"), strings.HasPrefix(media, "application/xml"), strings.HasPrefix(media, "application/soap+xml"):
		return "XML"
	}
	return ""
}

// onLines is a form with the line ends that a form has. The suite's end in line
// feeds alone; those are left to the engine, and are refused by the gateway.
func onLines(r *request) *request {
	c := *r
	c.body = strings.ReplaceAll(strings.ReplaceAll(r.body, "\r\n", "\n"), "\n", "\r\n")
	c.Fields = slices.Clone(r.Fields)
	for n := range c.Fields {
		if strings.EqualFold(c.Fields[n].Name, "Content-Length") && c.Fields[n].Value == strconv.Itoa(len(r.body)) {
			c.Fields[n].Value = strconv.Itoa(len(c.body))
		}
	}
	return &c
}

// TestFormsAndDocumentsOfTheSuite asks both about every multipart form and every
// XML document of the Core Rule Set's tests.
func TestFormsAndDocumentsOfTheSuite(t *testing.T) {
	t.Parallel()
	for paranoia := 1; paranoia <= 2; paranoia++ {
		if suiteShare[paranoia] > 100 {
			continue // compiling the rules again takes seconds under the race detector
		}
		t.Run(fmt.Sprint("paranoia ", paranoia), func(t *testing.T) {
			t.Parallel()
			var p *Program
			var w coraza.WAF
			if paranoia == 1 {
				p, w = shared(t)
			} else {
				p, w = program(t, paranoia, ""), engine(t, paranoia, "")
			}
			clean, all := map[string]int{}, map[string]int{}
			for n, r := range suite(t) {
				kind := bodied(r.request)
				if kind == "" || n%bodiesShare != 0 {
					continue
				}
				if kind == "multipart" {
					r.request = onLines(r.request)
				}
				v, found := p.asked(r.request), effects(w, r.request)
				switch {
				case v.Clean && found != "":
					t.Errorf("%s is said to be clean, the engine: %s\n%v", r.name, found, r.request)
				case found == "":
					all[kind]++
					if v.Clean {
						clean[kind]++
					} else {
						t.Logf("%s is unsure by %d, %s", r.name, v.Rule, v.Why)
					}
				}
			}
			for kind, n := range all {
				t.Logf("%s: %d of %d requests without an effect are proved", kind, clean[kind], n)
				if 2*clean[kind] < n {
					t.Errorf("of %s bodies hardly any is proved: the test is broken, or the proof useless", kind)
				}
			}
		})
	}
}
