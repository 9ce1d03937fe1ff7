package waf

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"portcullis/gateway/internal/pipeline"
)

// Unproved is why an exclusion cannot be used.
type Unproved struct {
	// Exclusion counts among those of the profile; MustPass and MustBlock among
	// its requests, -1 when the reason lies in none of these.
	Exclusion, MustPass, MustBlock int
	// What is the reason, Mend what to do about it.
	What, Mend string
}

func (u *Unproved) Error() string { return u.What }

// checkExclusions refuses exclusions the engine must not be given.
func checkExclusions(exclusions []Exclusion) error {
	var wrong []error
	for n, e := range exclusions {
		if err := e.check(); err != nil {
			wrong = append(wrong, &Unproved{Exclusion: n, MustPass: -1, MustBlock: -1, What: err.Error()})
		}
	}
	return errors.Join(wrong...)
}

// prove shows that every exclusion is needed, does what it is for and leaves
// attacks elsewhere to be found: each of its rules matches its target in one of
// the requests that must pass when nothing is excluded, these pass with the
// exclusions, and those that must be blocked are. bare has no exclusion.
func prove(bare, with *Inspector) error {
	var wrong []error
	for n, e := range with.exclusions {
		p := exclusionProof{bare: bare, with: with, exclusion: e, n: n}
		p.run()
		wrong = append(wrong, p.wrong...)
	}
	return errors.Join(wrong...)
}

// exclusionProof is the proof of one exclusion.
type exclusionProof struct {
	bare, with *Inspector
	exclusion  Exclusion
	n          int
	wrong      []error
}

func (p *exclusionProof) run() {
	e := p.exclusion
	if len(e.MustPass) == 0 || len(e.MustBlock) == 0 {
		p.fail(-1, -1, "an exclusion needs a request that must pass and one that must be blocked", "add must_pass: and must_block:")
		return
	}
	needed := map[int]bool{}
	there := false
	for i, text := range e.MustPass {
		before, after, ok := p.both(text, i, -1)
		if !ok {
			return // what cannot be asked proves nothing either way
		}
		there = there || slices.Contains(after.Excluded, p.n)
		hits := slices.DeleteFunc(at(before, e.Target), func(id int) bool { return !slices.Contains(e.Rules, id) })
		for _, id := range hits {
			needed[id] = true
		}
		switch {
		case len(hits) == 0 && len(before.Rules) == 0:
			p.fail(i, -1, fmt.Sprintf("this request passes without the exclusion of %s: no rule matches it", e.Target), "take it out, or take out the exclusion if none is left")
		case len(hits) == 0:
			p.fail(i, -1, fmt.Sprintf("no rule of the exclusion matches %s in this request; those that match are %s", e.Target, places(before)), "exclude what matches, where it matches")
		case after.interruption != nil:
			p.fail(i, -1, fmt.Sprintf("this request is denied with the exclusion too, with a score of %d by %s", after.Score, places(after)), "exclude what still matches, or take the request out")
		}
	}
	if !there {
		p.fail(-1, -1, fmt.Sprintf("no request of must_pass has %s", e.Target), "name a part that the requests have; the member note of a JSON body is ARGS:json.note")
	} else if len(p.wrong) == 0 {
		for _, id := range e.Rules {
			if !needed[id] {
				p.fail(-1, -1, fmt.Sprintf("rule %d matches %s in none of the requests that must pass", id, e.Target), fmt.Sprintf("take %d out of rules, or add a request that needs it", id))
			}
		}
	}
	for i, text := range e.MustBlock {
		_, after, ok := p.both(text, -1, i)
		if ok && after.interruption == nil {
			p.fail(-1, i, fmt.Sprintf("this request passes with a score of %d; rules that match: %s", after.Score, orNone(after)), "the exclusion opens too much, or the request is no attack: make one the other narrower")
		}
	}
}

// both asks both inspectors about one request.
func (p *exclusionProof) both(text string, mustPass, mustBlock int) (before, after finding, ok bool) {
	r, body, err := described(text)
	if err == nil {
		before, err = p.bare.ask(r, body)
	}
	if err == nil {
		after, err = p.with.ask(r, body)
	}
	if err != nil {
		p.fail(mustPass, mustBlock, fmt.Sprintf("this request cannot be inspected: %v", err), mendText)
		return before, after, false
	}
	return before, after, true
}

// mendText says what the text of a request may be.
const mendText = "write a JSON body, a query string as it stands in a URL, or a whole request: its line, header fields, an empty line, its body"

func (p *exclusionProof) fail(mustPass, mustBlock int, what, mend string) {
	p.wrong = append(p.wrong, &Unproved{Exclusion: p.n, MustPass: mustPass, MustBlock: mustBlock, What: what, Mend: mend})
}

// described is the request that a text of a proof stands for.
func described(text string) (*http.Request, string, error) {
	if isWhole(text) {
		return whole(text)
	}
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return probeRequest("", jsonMedia, text), text, nil
	}
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, "", errors.New("a query string holds printable ASCII only")
	}
	return probeRequest(text, "", ""), "", nil
}

// at lists the rules that matched a target.
func at(f finding, target string) (ids []int) {
	for _, m := range f.Matches {
		if strings.EqualFold(m.Target, target) {
			ids = append(ids, m.Rule)
		}
	}
	return ids
}

// places is what matched and where, for a message.
func places(f finding) string {
	texts := make([]string, len(f.Matches))
	for i, m := range f.Matches {
		texts[i] = place(m)
	}
	return strings.Join(texts, ", ")
}

func orNone(f finding) string {
	if len(f.Matches) == 0 {
		return "none"
	}
	return places(f)
}

func place(m pipeline.Match) string { return strconv.Itoa(m.Rule) + " at " + m.Target }
