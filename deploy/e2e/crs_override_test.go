package e2e

import (
	"fmt"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// crsOverride is what is wanted of cases in place of what the Core Rule Set
// wants, and why. All that it says must hold of each of them: it cannot hide that
// a rule sees something no more.
type crsOverride struct {
	Name, Reason string
	// Refused is how the gateway answers by itself, without asking the rules. What
	// the client is told begins with Detail.
	Refused *struct {
		Status       int
		Code, Detail string
	}
	// Respelled is the same attack in a spelling that is not refused: of the target,
	// what stands left is written as stands right, and octets that are not ASCII are
	// escaped. Retyped is another Content-Type. All that the case wants of the rules
	// must come of that.
	Respelled map[string]string
	Retyped   string
	// Rules say something of it, in place of those that the case names, Silent ones
	// do not, and Targets are what they speak of, each "942100 ARGS:q".
	Rules, Silent []int
	Targets       []string
	// Removed are fields that neither the rules nor the backend see.
	Removed []string
	// Status is an answer in place of the one that the case names, Score the least
	// that the request gets.
	Status, Score int
	// Ignored cases are sent, and nothing is wanted of them but an answer.
	Ignored bool
	// Cases are "942100-3", or "942100-3/2" for the second request of one.
	Cases []string
}

// maxIgnored is how many cases may be ignored: as many as the engine's own run of
// these tests ignores.
const maxIgnored = 7

// crsOverrides are those of testdata/crs, by case.
func crsOverrides(t *testing.T, cases []crsCase) map[string]*crsOverride {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "crs", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no overrides: ", err)
	}
	known := map[string]bool{}
	for _, c := range cases {
		known[c.id] = true
		for n := range c.stages {
			known[c.stage(n)] = true
		}
	}
	by, ignored := map[string]*crsOverride{}, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var all []*crsOverride
		if err := yaml.Load(text, &all, yaml.WithKnownFields()); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, o := range all {
			if o.Name == "" || len(o.Reason) < 40 || len(o.Cases) == 0 {
				t.Errorf("%s: the override %q has no name, no case, or no reason worth the word", file, o.Name)
			}
			for _, id := range o.Cases {
				if by[id] != nil || !known[id] {
					t.Errorf("%s: %q overrides %s, which is no case or overridden already", file, o.Name, id)
				}
				by[id] = o
				if o.Ignored {
					ignored++
				}
			}
		}
	}
	if ignored > maxIgnored {
		t.Errorf("%d cases are ignored, more than %d", ignored, maxIgnored)
	}
	return by
}

// misses says what of an outcome is not as the case wants it; empty for nothing.
func (w crsWant) misses(o crsOutcome) string {
	switch {
	case w.ExpectError:
		return "it is answered, where no answer was wanted"
	case w.Status != 0 && w.Status != o.status:
		return fmt.Sprintf("a status of %d, not %d", o.status, w.Status)
	case w.Log.Matches != "" || w.Log.NoMatches != "":
		return "it wants a text in a log"
	}
	for _, id := range w.Log.Expect {
		if !slices.Contains(o.rules, id) {
			return fmt.Sprintf("rule %d says nothing", id)
		}
	}
	for _, id := range w.Log.NoExpect {
		if slices.Contains(o.rules, id) {
			return fmt.Sprintf("rule %d speaks", id)
		}
	}
	if w.Status == 0 && !o.inspected {
		return "the rules are not asked"
	}
	return ""
}

// again tells whether the attack is sent in another form, too.
func (v *crsOverride) again() bool { return v != nil && (v.Respelled != nil || v.Retyped != "") }

// misses says what of an outcome is not as the override wants it.
func (v *crsOverride) misses(w crsWant, o crsOutcome) string {
	r := v.Refused
	switch {
	case v.Ignored:
		return ""
	case r == nil:
		return v.finds(w, o)
	case o.inspected, o.status != r.Status, o.code != r.Code, !strings.HasPrefix(o.detail, r.Detail):
		return fmt.Sprintf("it is not refused with %d, %s, %q", r.Status, r.Code, r.Detail)
	}
	return ""
}

// finds says what the rules do not make of a request as the override wants it.
func (v *crsOverride) finds(w crsWant, o crsOutcome) string {
	w.Log.Matches, w.Log.NoMatches = "", "" // in its place there are targets and scores
	if v.Rules != nil || v.Silent != nil {
		w.Log.Expect, w.Log.NoExpect = v.Rules, v.Silent
	}
	if v.Status != 0 || v.again() {
		w.Status = v.Status
	}
	if misses := w.misses(o); misses != "" {
		return misses
	}
	for _, target := range v.Targets {
		if !slices.Contains(o.targets, target) {
			return fmt.Sprintf("nothing is said of %s, but of %q", target, o.targets)
		}
	}
	for _, name := range v.Removed {
		if o.backend == nil || o.backend[textproto.CanonicalMIMEHeaderKey(name)] != nil {
			return fmt.Sprintf("the backend is not asked, or sees %s", name)
		}
	}
	if o.score < v.Score {
		return fmt.Sprintf("a score of %d, less than %d", o.score, v.Score)
	}
	return ""
}

// other is the same attack in another form.
func (v *crsOverride) other(s crsStage) crsStage {
	first, rest, _ := strings.Cut(s.request, "\r\n")
	if v.Respelled != nil {
		method, target, _ := strings.Cut(first, " ")
		end := strings.LastIndexByte(target, ' ')
		var pairs []string
		for from, to := range v.Respelled {
			pairs = append(pairs, from, to)
		}
		first = method + " " + escapedOctets(strings.NewReplacer(pairs...).Replace(target[:end])) + target[end:]
	}
	head, body, _ := strings.Cut(rest, "\r\n\r\n")
	if v.Retyped != "" {
		fields := strings.Split(head, "\r\n")
		for i, f := range fields {
			if name, _, _ := strings.Cut(f, ":"); strings.EqualFold(name, "Content-Type") {
				fields[i] = "Content-Type: " + v.Retyped
			}
		}
		head = strings.Join(fields, "\r\n")
	}
	s.request = first + "\r\n" + head + "\r\n\r\n" + body
	return s
}

func escapedOctets(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
