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
