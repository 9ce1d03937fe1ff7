package access

import (
	"fmt"
	"slices"
	"strings"

	"portcullis/gateway/internal/pipeline"
)

// shownMost bounds a value in an explanation, in bytes.
const shownMost = 200

// stated is the state of what is true or false.
func stated(holds bool) pipeline.State {
	if holds {
		return pipeline.Holds
	}
	return pipeline.Fails
}

// reason is one with a mend only where it is needed.
func reason(text string, state pipeline.State, value, place, mend string) pipeline.Reason {
	if state == pipeline.Holds {
		mend = ""
	}
	return pipeline.Reason{Text: text, State: state, Value: value, Place: place, Mend: mend}
}

func isOneOf(texts []Text, v string) bool {
	return slices.ContainsFunc(texts, func(t Text) bool { return t.V == v })
}

// either is "a, b or c".
func either(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func eitherOf(texts []Text) string {
	words := make([]string, len(texts))
	for i, t := range texts {
		words[i] = t.V
	}
	return either(words)
}

// quoted is a value that callers chose, cut and quoted: it can neither forge a
// line of an explanation nor fill a screen.
func quoted(s string) string {
	if len(s) > shownMost {
		return fmt.Sprintf("%.*q…", shownMost, s)
	}
	return fmt.Sprintf("%q", s)
}
