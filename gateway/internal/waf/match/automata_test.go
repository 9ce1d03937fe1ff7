package match

import (
	"runtime"
	"testing"
)

func need(sets ...[]string) Need { return Need{Sets: sets} }

func TestOneAutomatonServesAllWhoLookForTheSame(t *testing.T) {
	shared := NewAutomata()
	of := func(needs ...Need) *Automaton {
		t.Helper()
		a, err := shared.Of(needs)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first := of(need([]string{"union", "select"}), need([]string{"script"}))
	if of(need([]string{"union", "select"}), need([]string{"script"})) != first {
		t.Error("the same needs have another automaton")
	}
	for name, other := range map[string]*Automaton{
		"needs in another order":       of(need([]string{"script"}), need([]string{"union", "select"})),
		"two sets in place of one":     of(need([]string{"union"}, []string{"select"}), need([]string{"script"})),
		"literals cut in other places": of(need([]string{"unions", "elect"}), need([]string{"script"})),
		"one need less":                of(need([]string{"union", "select"})),
	} {
		if other == first {
			t.Errorf("%s: the same automaton", name)
		}
	}
	found, candidates := make(Bits, 2*len(first.NewBits())), first.NewBits()
	if first.Candidates("a Script", found, candidates); candidates.Has(0) || !candidates.Has(1) {
		t.Errorf("candidates are %b", candidates)
	}
}

func TestAnAutomatonThatNobodyUsesIsGivenBack(t *testing.T) {
	shared := NewAutomata()
	if _, err := shared.Of([]Need{need([]string{"union"})}); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.GC()
	if _, err := shared.Of([]Need{need([]string{"script"})}); err != nil {
		t.Fatal(err)
	}
	if n := len(shared.made); n != 1 {
		t.Errorf("%d automata are remembered, one is in use", n)
	}
}

func TestWithoutAShareEveryoneHasAnAutomatonOfHisOwn(t *testing.T) {
	var none *Automata
	a, err := none.Of([]Need{need([]string{"union"})})
	if err != nil || a == nil {
		t.Fatal(a, err)
	}
}
