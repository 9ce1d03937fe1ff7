package proof

import (
	"testing"

	"portcullis/gateway/internal/waf/match"
)

func TestPoliciesThatDifferInExclusionsAndThresholdsShareTheAutomaton(t *testing.T) {
	automata := match.NewAutomata()
	compiled := func(threshold, attack, rest string) *Program {
		t.Helper()
		p, err := Compile(Config{Automata: automata, Directives: "SecRuleEngine On\nSecRequestBodyAccess On\n" +
			"SecAction \"id:1,phase:1,pass,nolog,setvar:tx.threshold=" + threshold + "\"\n" +
			"SecRule ARGS \"@rx " + attack + "\" \"id:2,phase:2,pass,setvar:tx.score=+5\"\n" +
			"SecRule TX:score \"@ge %{tx.threshold}\" \"id:3,phase:2,deny\"\n" + rest})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := compiled("5", "attack", "")
	if compiled("7", "attack", "SecRuleUpdateTargetById 2 \"!ARGS:note\"\n").automaton != first.automaton {
		t.Error("a policy with an exclusion and another threshold has an automaton of its own")
	}
	if compiled("5", "assault", "").automaton == first.automaton {
		t.Error("a policy that looks for something else has the same automaton")
	}
	// What is shared is what is looked for, never what is exempt.
	exempt := compiled("5", "attack", "SecRuleUpdateTargetById 2 \"!ARGS:note\"\n")
	for target, clean := range map[string]bool{"/?q=attack": false, "/?note=attack": true} {
		if v := exempt.asked(get(target)); v.Clean != clean {
			t.Errorf("%s: %+v", target, v)
		}
	}
	if v := first.asked(get("/?note=attack")); v.Clean {
		t.Error("the exclusion of one policy reaches the other")
	}
}

// One pattern among those that are asked together that matches nearly every text, such
// as any media type, and each of the others is asked about each text.
func TestOrdinaryTextsAreClearedByOneLook(t *testing.T) {
	for paranoia := 1; paranoia <= 2; paranoia++ {
		p := program(t, paranoia, "")
		for _, text := range []string{"Double room number 5", "late arrival thanks", "4711", "83.99", "R-00012", "Helsinki", "json.rooms.3.title"} {
			if p.union.Match(text) {
				t.Errorf("paranoia %d: %q is not cleared", paranoia, text)
			}
		}
		if !p.union.Match("whoami") {
			t.Errorf("paranoia %d: everything is cleared", paranoia)
		}
	}
}
