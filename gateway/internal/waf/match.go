package waf

import (
	"slices"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/types"

	"portcullis/gateway/internal/pipeline"
)

const (
	// maxPlaces bounds how many places are kept of one request, for each rule
	// that may be told of.
	maxPlaces = 2
	// maxTarget bounds the names of a request's parts that are kept, in bytes. A
	// longer one is more likely a value that stands where a name should.
	maxTarget = 64
	// maxMessage bounds what a rule says; some say the name they found.
	maxMessage = 120
)

// appendMatches adds where a rule matched, each place once, up to most in all.
// Of a chain only the first link counts: an exclusion takes away what that one
// looks at.
func (i *Inspector) appendMatches(matches []pipeline.Match, m types.MatchedRule, most int) []pipeline.Match {
	found := pipeline.Match{Rule: m.Rule().ID(), Message: clip(m.Message()), Denies: level(m) <= i.profile.BlockingParanoia}
	if patch, ok := i.patchRules[found.Rule]; ok {
		found.Denies = patch.denies
	}
	for _, data := range m.MatchedDatas() {
		if data.ChainLevel() > 0 {
			continue
		}
		found.Target = targetOf(data)
		if len(matches) < most && !slices.Contains(matches, found) {
			matches = append(matches, found)
		}
	}
	return matches
}

// targetOf is what the engine looked at, as rules name it.
func targetOf(data types.MatchData) string {
	name := data.Variable().Name()
	switch {
	case data.Key() == "":
		return name
	case len(data.Key()) > maxTarget:
		return name + ":..."
	}
	return name + ":" + data.Key()
}

// level is the paranoia level from which a rule is asked, by its tag; 0 for one
// that always is.
func level(m types.MatchedRule) int {
	for _, tag := range m.Rule().Tags() {
		if text, ok := strings.CutPrefix(tag, "paranoia-level/"); ok {
			if n, err := strconv.Atoi(text); err == nil {
				return n
			}
		}
	}
	return 0
}

func clip(message string) string { return cut(message, maxMessage) }
