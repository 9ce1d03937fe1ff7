package waf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/types"
	"github.com/corazawaf/coraza/v3/types/variables"

	"portcullis/gateway/internal/pipeline"
)

// Bounds on what one request can put into a security event: every byte of it is
// asked for by whoever attacks.
const (
	maxHits     = 64
	maxHitsAt   = 8
	maxHitPlace = 160
)

// hits tells of the rules that matched and count what a security event holds of
// them; s is nil for an answer. Nothing matched when known is 0, and nothing is
// allocated then.
func (i *Inspector) hits(matched []types.MatchedRule, known int, counts func(types.MatchedRule) bool, s *subject) []pipeline.Hit {
	if known == 0 {
		return nil
	}
	ids, _ := i.effective(matched, maxHits, counts)
	hits := make([]pipeline.Hit, 0, len(ids))
	for _, m := range matched {
		rule := m.Rule()
		if !slices.Contains(ids, rule.ID()) {
			continue
		}
		n := slices.IndexFunc(hits, func(h pipeline.Hit) bool { return h.Rule == rule.ID() })
		if n < 0 {
			n = len(hits)
			hit := pipeline.Hit{
				Rule: rule.ID(), Message: written(m), Paranoia: level(m), Severity: rule.Severity().String(),
				Place: placeOf(rule), Denies: level(m) <= i.profile.BlockingParanoia,
			}
			if patch, ok := i.patchRules[hit.Rule]; ok {
				hit.Place, hit.Denies = cut(patch.String(), maxHitPlace), patch.denies
			}
			hits = append(hits, hit)
		}
		for _, data := range m.MatchedDatas() {
			if data.ChainLevel() == 0 {
				addPlace(&hits[n], hitAt(data, s))
			}
		}
	}
	// The engine keeps parameters in maps: their order would differ each time.
	for n := range hits {
		slices.SortFunc(hits[n].At, func(a, b pipeline.HitAt) int {
			return cmp.Or(strings.Compare(a.Target, b.Target), strings.Compare(a.Shape, b.Shape), cmp.Compare(a.Bytes, b.Bytes))
		})
	}
	return hits
}

// addPlace keeps the first places, each once.
func addPlace(h *pipeline.Hit, at pipeline.HitAt) {
	switch {
	case slices.Contains(h.At, at):
	case len(h.At) < maxHitsAt:
		h.At = append(h.At, at)
	default:
		h.More++
	}
}

// hitAt is what the engine looked at, without what stood there.
func hitAt(data types.MatchData, s *subject) pipeline.HitAt {
	variable, key := data.Variable(), data.Key()
	at := pipeline.HitAt{Target: variable.Name(), Bytes: -1, Shape: redacted}
	hidden := false
	if key != "" {
		var name string
		name, hidden = shownName(key)
		if !hidden && s != nil && ofArguments(variable) && s.nameless(key) {
			name, hidden = redacted, true // as in "?TOKEN"
		}
		at.Target += ":" + name
	}
	if !hidden && !secret(variable, key) {
		at.Shape, at.Bytes = shapeAround(data.Value(), foundBy(data.Data())), len(data.Value())
	}
	return at
}

func ofArguments(v variables.RuleVariable) bool {
	switch v {
	case variables.Args, variables.ArgsGet, variables.ArgsPost, variables.ArgsNames, variables.ArgsGetNames, variables.ArgsPostNames:
		return true
	}
	return false
}

// placeOf is where a rule stands, as far as the engine knows.
func placeOf(rule types.RuleMetadata) string {
	if rule.File() == "" {
		return ""
	}
	return cut(rule.File(), maxHitPlace) + ":" + strconv.Itoa(rule.Line())
}

// written is the message of a rule as it stands in its text. The engine gives it
// with macros filled in, and some rules put in what they found.
func written(m types.MatchedRule) string {
	message, raw := m.Message(), m.Rule().Raw()
	if strings.Contains(raw, "msg:'"+message+"'") {
		return cut(message, maxMessage)
	}
	_, rest, ok := strings.Cut(raw, "msg:'")
	if !ok {
		return ""
	}
	for i := range len(rest) {
		if rest[i] == '\'' && (i == 0 || rest[i-1] != '\\') {
			return cut(rest[:i], maxMessage)
		}
	}
	return ""
}

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
