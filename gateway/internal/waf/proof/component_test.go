package proof

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/corazawaf/libinjection-go"

	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/transform"
)

// TestAShortcutIsNeverWrong: each way to do without an operator, a
// transformation or a whole chain, held against what it spares.
func TestAShortcutIsNeverWrong(t *testing.T) {
	t.Parallel()
	p, _ := shared(t)
	all := payloads(t)
	rnd := rand.New(rand.NewPCG(11, 12))
	var arena transform.Arena
	chains := map[*node]*chain{}
	for _, of := range p.plans {
		for n := range of.chains {
			chains[of.chains[n].node] = &of.chains[n]
		}
	}
	values, spared, words := 0, 0, 0
	for range componentRounds {
		s := near(all[rnd.IntN(len(all))], rnd, all)
		values++
		m := match.MaskOf(s)
		for _, n := range p.nodes {
			if n.step == nil || n.step.Touches(0) || n.trigger&m != 0 {
				continue
			}
			spared++
			if got := n.step.Apply(&arena, s); got != s {
				t.Fatalf("%s changes %q to %q, which has no byte of its trigger", n.step.Name, s, got)
			}
		}
		for n, c := range chains {
			if c.alive(m) {
				continue
			}
			out := s
			for _, step := range n.steps() {
				out = step.Apply(&arena, out)
			}
			for _, l := range p.links {
				if c.links.has(l.bit) && l.operator(out, plainOf(l)) != l.negated {
					t.Fatalf("rule %d is met by %q, of which its chain was said to be dead", l.rule.id, s)
				}
			}
		}
		if m&(match.MaskOfByte('<')|match.MaskOfByte('=')) == 0 && libinjection.IsXSS(s) {
			t.Fatalf("%q is XSS without < and =", s)
		}
		for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r > 'z' || !isWord("a"+string(r)) }) {
			words++
			if found, _ := libinjection.IsSQLi(word); found && isWord(word) {
				t.Fatalf("the word %q is SQL injection", word)
			}
		}
		arena.Reset()
	}
	t.Logf("%d values, %d transformations spared, %d words", values, spared, words)
	if spared < values || words < values/2 {
		t.Error("the shortcuts are hardly taken: the test is broken")
	}
}

func plainOf(l *link) string { text, _ := l.argument.plain(); return text }

// TestACheckHandsNothingOn: what is given back holds no part of a request.
func TestACheckHandsNothingOn(t *testing.T) {
	t.Parallel()
	p, _ := shared(t)
	k := p.Begin()
	r := get("/v1/secret?q=%53ecret%20It%27s")
	k.Head(&r.Head)
	k.Body("")
	k.forget()
	for _, s := range k.values {
		if unsafe.StringData(s) != nil && s != "" {
			t.Fatalf("it still has %q", s)
		}
	}
	for n := range k.groups {
		if k.groups[n].value != "" {
			t.Fatalf("it still has %q", k.groups[n].value)
		}
	}
}
