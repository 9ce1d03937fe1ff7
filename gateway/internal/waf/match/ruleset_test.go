package match

import (
	"math/rand/v2"
	"regexp/syntax"
	"testing"

	crs "github.com/corazawaf/coraza-coreruleset/v4"

	"portcullis/gateway/internal/waf/seclang"
)

// rulePatterns are all patterns of the Core Rule Set, each once.
func rulePatterns(t testing.TB) []*Pattern {
	t.Helper()
	policy, err := seclang.Parse(crs.FS, "Include @coraza.conf-recommended\nInclude @crs-setup.conf.example\nInclude @owasp_crs/*.conf")
	if err != nil {
		t.Fatal(err)
	}
	budget := NewBudget(1 << 30)
	seen := map[string]bool{}
	var patterns []*Pattern
	for _, rule := range policy.Rules {
		for _, link := range rule.Links() {
			if link.Operator == nil || link.Operator.Name != "rx" || seen[link.Operator.Argument] {
				continue
			}
			seen[link.Operator.Argument] = true
			p, err := NewPattern(link.Operator.Argument, budget)
			if err != nil {
				t.Fatalf("rule %d: %v", rule.ID, err)
			}
			patterns = append(patterns, p)
		}
	}
	if len(patterns) < 290 {
		t.Fatalf("only %d patterns: this test looks in the wrong place", len(patterns))
	}
	return patterns
}

func automatonOf(t testing.TB, patterns []*Pattern) *Automaton {
	t.Helper()
	needs := make([]Need, len(patterns))
	for n, p := range patterns {
		needs[n] = p.Need
	}
	a, err := NewAutomaton(needs)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// oracle is what the engine would say.
func (p *Pattern) oracle(s string) bool {
	if p.bytes != nil {
		return p.bytes.MatchString(s)
	}
	return p.dfa.regexp().MatchString(s)
}

// TestWhatMatchesIsACandidate is what the proof rests on: values made after each
// pattern's own syntax tree, and damaged, and then read by all patterns. A
// forgotten kind of folding is one mistake in ten thousand requests and one in
// a hundred of these.
func TestWhatMatchesIsACandidate(t *testing.T) {
	t.Parallel()
	patterns := rulePatterns(t)
	a := automatonOf(t, patterns)
	found, candidates := make(Bits, 2*len(a.NewBits())), a.NewBits()
	rnd := rand.New(rand.NewPCG(1, 2))
	checks, matches := 0, 0
	for n, p := range patterns {
		tree, err := syntax.Parse(p.Expression, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		for range rounds {
			value := string(mutate(generate(tree, rnd, nil), rnd))
			mask := MaskOf(value)
			a.Candidates(value, found, candidates)
			// Its own pattern, and some others.
			for other := n; other < len(patterns); other += 1 + rnd.IntN(60) {
				q := patterns[other]
				checks++
				want := q.oracle(value)
				if got := q.Match(value); got != want {
					t.Fatalf("%q in %q: the automaton says %v, regexp %v", q.Expression, value, got, want)
				}
				if !want {
					continue
				}
				matches++
				if !candidates.Has(other) {
					t.Fatalf("%q matches %q, which has none of %q", q.Expression, value, q.Sets)
				}
				for _, m := range q.Masks {
					if mask&m == 0 {
						t.Fatalf("%q matches %q, which has no byte of the mask %x", q.Expression, value, m)
					}
				}
			}
		}
	}
	states := 0
	for _, p := range patterns {
		states += p.States()
	}
	t.Logf("%d checks, %d matches, %d lazy states; automaton of %d states, %d classes, %d KiB", checks, matches, states, a.States(), a.classes, a.Bytes()>>10)
	if matches < checks/20 {
		t.Errorf("only %d of %d values matched: the generator is broken", matches, checks)
	}
}

// TestAUnionMatchesWhereOneOfItsPatternsDoes also under flags that one of them
// sets for itself.
func TestAUnionMatchesWhereOneOfItsPatternsDoes(t *testing.T) {
	t.Parallel()
	var some []*Pattern
	for _, p := range rulePatterns(t) {
		if !p.Bytewise() && len(p.Sets) == 0 && len(p.Masks) == 0 {
			some = append(some, p)
		}
	}
	union, err := Union(some, NewBudget(64<<20))
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, p := range some {
		tree, err := syntax.Parse(p.Expression, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		for range rounds {
			value := string(mutate(generate(tree, rnd, nil), rnd))
			want := false
			for _, q := range some {
				want = want || q.oracle(value)
			}
			if got := union.Match(value); got != want {
				t.Fatalf("%q: the union says %v, its patterns %v", value, got, want)
			}
		}
	}
	t.Logf("%d patterns without a literal or a mask, %d states", len(some), union.States())
}
