package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// unproved switches the proof in front of the WAF's rules off in a policy file,
// when the whole suite is run so to show that it changes no verdict: with
// WAF_PROOF=off in the environment, as make nightly does.
func unproved(text string) string {
	if os.Getenv("WAF_PROOF") != "off" || strings.Contains(text, "proof:") {
		return text
	}
	before, block, found := strings.Cut("\n"+text, "\nwaf:\n")
	if !found {
		return text
	}
	end := len(block)
	if next := regexp.MustCompile(`(?m)^[^ #\n]`).FindStringIndex(block); next != nil {
		end = next[0]
	}
	profiles := regexp.MustCompile(`(?m)^  - (\{?)name: ([^,}\n]+)`).ReplaceAllStringFunc(block[:end], func(at string) string {
		if strings.HasPrefix(at, "  - {") {
			return at + ", proof: off"
		}
		return at + "\n    proof: off"
	})
	return strings.TrimPrefix(before+"\nwaf:\n"+profiles+block[end:], "\n")
}

func TestTheProofIsSwitchedOffForTheWholeSuite(t *testing.T) {
	const text = "version: 1\nwaf:\n  - name: pages\n    mode: shadow\n  # in one line\n  - {name: api, paranoia: {blocking: 1}}\n  - {name: bare}\nroutes:\n  - {name: all}\n"
	t.Setenv("WAF_PROOF", "")
	if got := unproved(text); got != text {
		t.Errorf("without being asked to it writes\n%s", got)
	}
	t.Setenv("WAF_PROOF", "off")
	const want = "version: 1\nwaf:\n  - name: pages\n    proof: off\n    mode: shadow\n  # in one line\n  - {name: api, proof: off, paranoia: {blocking: 1}}\n  - {name: bare, proof: off}\nroutes:\n  - {name: all}\n"
	if got := unproved(text); got != want {
		t.Errorf("it writes\n%s", got)
	}
}
