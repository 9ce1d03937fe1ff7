package match

import (
	"regexp"
	"strings"
	"sync"
	"testing"
)

func pattern(t testing.TB, argument string) *Pattern {
	t.Helper()
	p, err := NewPattern(argument, NewBudget(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func isCandidate(t testing.TB, p *Pattern, value string) bool {
	t.Helper()
	a, err := NewAutomaton([]Need{{Sets: [][]string{{"never there"}}}, p.Need})
	if err != nil {
		t.Fatal(err)
	}
	candidates := a.NewBits()
	a.Candidates(value, make(Bits, 2*len(candidates)), candidates)
	for _, m := range p.Masks {
		if MaskOf(value)&m == 0 {
			return false
		}
	}
	return candidates.Has(1)
}

// TestTraps: each value is matched by its pattern in a way that a search for the
// pattern's letters does not see.
func TestTraps(t *testing.T) {
	t.Parallel()
	for name, trap := range map[string]struct{ pattern, value string }{
		"long s folds to s":                      {`(?i)<script`, "<ſcript"},
		"the Kelvin sign folds to k":             {`(?i)kill\b`, "\u212aILL"},
		"in a class too":                         {`(?i)[sx]leep\(`, "ſleep("},
		"broken UTF-8 is read as U+FFFD":         {"a\ufffdb", "a\xffb"},
		"a class of U+FFFD matches broken UTF-8": {"x[\ufffd]y", "x\xc5y"},
		"upper case without folding":             {`SELECT`, "SELECT"},
		"text outside ASCII":                     {`é`, "é"},
		"text outside ASCII that folds":          {`(?i)é`, "É"},
		"an optional beginning":                  {`(?:ab)?cd`, "cd"},
		"an empty alternative":                   {`(?:ab|)cd|ef`, "cd"},
		"a dot matches a line end":               {`a.b`, "a\nb"},
		"a line begins behind a line end":        {`^attack$`, "x\nattack\ny"},
		"what matches everything":                {`.*`, ""},
		"bytes that are no UTF-8":                {`\xac\xed\x00\x05`, "..\xac\xed\x00\x05.."},
		"bytes in braces":                        {`\x{ac}\x{ed}`, "\xac\xed"},
		"bytes with letters":                     {`(?i)a\xbcB`, "A\xbcb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pattern(t, trap.pattern)
			if !p.oracle(trap.value) {
				t.Fatalf("%q does not match %q at all", trap.pattern, trap.value)
			}
			if !isCandidate(t, p, trap.value) {
				t.Errorf("%q is no candidate of %q, which needs %q and %x", trap.value, trap.pattern, p.Sets, p.Masks)
			}
			if !p.Match(trap.value) {
				t.Errorf("the automaton of %q does not match %q", trap.pattern, trap.value)
			}
		})
	}
}

func TestAnOrdinaryValueIsNoCandidate(t *testing.T) {
	t.Parallel()
	for _, p := range []string{`(?i)<script[^>]*>`, `(?i)union.*?select`, `\.\./`, `(?:a|b)\(`, `[';]--`} {
		if p := pattern(t, p); isCandidate(t, p, "a quiet room by the sea") {
			t.Errorf("everything is a candidate of %q, which needs %q and %x", p.Expression, p.Sets, p.Masks)
		}
	}
}

// TestASpentBudgetIsNoWrongAnswer: without memory regexp answers.
func TestASpentBudgetIsNoWrongAnswer(t *testing.T) {
	t.Parallel()
	const expression = `(?i)(?:a|b)*c[^d]{3,9}e|\bf\d+\b`
	budget := NewBudget(20_000)
	d, err := NewDFA(expression, budget)
	if err != nil {
		t.Fatal(err)
	}
	re := regexp.MustCompile(expression)
	var waiting sync.WaitGroup
	for worker := range 4 {
		waiting.Go(func() {
			for n := range 2000 {
				value := strings.Repeat("abcxfe1 ", n%9)[n%7*(min(n%9, 1)):] + string(rune(n+worker))
				if got, want := d.Match(value), re.MatchString(value); got != want {
					t.Errorf("%q: %v, regexp says %v", value, got, want)
					return
				}
			}
		})
	}
	waiting.Wait()
	if budget.Left() < 0 {
		t.Errorf("the budget is overdrawn by %d bytes", -budget.Left())
	}
	starved, err := NewDFA(expression, NewBudget(0))
	if err != nil {
		t.Fatal(err)
	}
	if !starved.Match("xx f12") || starved.Match("xx f12g") {
		t.Error("an automaton without any memory gives a wrong answer")
	}
}

func TestMatchingAllocatesNothing(t *testing.T) {
	p := pattern(t, `(?i)union\s+select`)
	a, err := NewAutomaton([]Need{p.Need})
	if err != nil {
		t.Fatal(err)
	}
	candidates := a.NewBits()
	found := make(Bits, 2*len(candidates))
	if n := testing.AllocsPerRun(100, func() {
		a.Candidates("a UNION of workers, a select few", found, candidates)
		p.Match("a UNION of workers, a select few")
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDFA(f *testing.F) {
	for _, seed := range [][2]string{
		{`(?i)a\b.$`, "xA\n"}, {`^$`, "a\n\nb"}, {`\B\x{fffd}`, "\xff\xff"}, {`(?U)a+?b|[[:^alpha:]]{2}`, "\u212a\u017f"}, {`(?-s).\z`, "\n"}, {`[^\x00-\x{10FFFF}]|a`, "a"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, argument, value string) {
		if len(argument) > 60 || len(value) > 200 {
			return
		}
		p, err := NewPattern(argument, NewBudget(1<<20))
		if err != nil {
			return
		}
		want := p.oracle(value)
		if got := p.Match(value); got != want {
			t.Errorf("%q in %q: %v, regexp says %v", argument, value, got, want)
		}
		if want && !isCandidate(t, p, value) {
			t.Errorf("%q matches %q, which is no candidate: it needs %q and %x", argument, value, p.Sets, p.Masks)
		}
	})
}

// TestWhatRegexpGoesOnToReadIsNotTakenForUnread: behind its first match .* keeps
// a thread alive to the end of the value.
func TestWhatRegexpGoesOnToReadIsNotTakenForUnread(t *testing.T) {
	t.Parallel()
	value := "attack" + strings.Repeat(" and so on", 100)
	for expression, want := range map[string]int{
		"att[a-z]": 1002, "atta.*": 501, `att\Wx|attac[^;]*`: 500, "nothing": 0,
	} {
		p, err := NewPattern(expression, NewBudget(1<<20))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Unread(value); got < want-1 || got > want+1 {
			t.Errorf("%q: %d bytes of %d, want %d", expression, got, len(value), want)
		}
	}
}
