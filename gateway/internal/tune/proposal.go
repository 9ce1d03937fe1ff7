package tune

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"portcullis/gateway/internal/compile"
	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// Proposal is an exclusion that was proved, and what the proof has shown.
type Proposal struct {
	Profile, Route string
	// Place is where the policies define the profile.
	Place policy.Pos
	// Routes are the others that use the profile: the exclusion holds there too.
	Routes []string
	// Exclusion is the proposal, with the requests that prove it.
	Exclusion waf.Exclusion
	// Messages say what the rules look for, in their order.
	Messages []string
	// Requests were seen, Clients ordinary clients sent some of them; Refused were
	// refused, and Attacks look like attacks. The last was at Last; Shape is what
	// stood there.
	Requests, Clients, Refused, Attacks int
	Last                                time.Time
	Shape                               string
	// Good are the known-good requests that the rules match at the target; of
	// those in Still other rules refuse the whole.
	Good  []string
	Still []string
	// Same tells of attacks at the target itself, Others of attacks elsewhere.
	Same   Tried
	Others []Tried
}

// Tried tells what became of attacks at one target.
type Tried struct {
	Target string
	// Tried is how many the profile refused before; Opened are those of them that
	// pass with the exclusion.
	Tried  int
	Opened []Attack
}

// othersMost bounds the other targets of a route that attacks are tried at.
const othersMost = 5

// candidate is a proposal being worked out.
type candidate struct {
	*Tuner
	cluster  *cluster
	profile  waf.Profile
	patches  []waf.Patch
	existing []waf.Exclusion
	before   *waf.Attempt // with the exclusions there are
	with     *waf.Attempt // with the new one too
	texts    []string     // known-good values at the target alone
	p        *Proposal
}

// propose works out what would end the false positives of a cluster, or says why
// nothing is proposed.
func (t *Tuner) propose(one *cluster) (p *Proposal, why string, err error) {
	defined := t.profile(one.profile)
	if defined == nil {
		return nil, "the policies have no such WAF profile", nil
	}
	byRule, together := t.clusters.ordinary(one)
	if why := inexpressible(one); why != "" {
		return nil, why, nil
	}
	if 2*one.attacks > one.requests {
		return nil, fmt.Sprintf("it looks like attacks: in %d of %d requests the score was high, or rules of several kinds matched together", one.attacks, one.requests), nil
	}
	var rules []int
	for _, id := range one.ids() {
		if byRule[id] >= t.clients {
			rules = append(rules, id)
		}
	}
	if len(rules) == 0 {
		return nil, fmt.Sprintf("clients that send nothing like an attack: %d, and %d are needed", together, t.clients), nil
	}
	c := &candidate{Tuner: t, cluster: one, p: &Proposal{
		Profile: one.profile, Route: one.route, Place: defined.Pos, Routes: t.alsoUsedBy(one), Requests: one.requests, Clients: together,
		Refused: one.refused, Attacks: one.attacks, Last: one.last, Shape: one.shape,
	}}
	c.profile, c.patches, c.existing = compile.WAFProfile(t.doc, defined)
	if c.before = t.before[one.profile]; c.before == nil {
		if c.before, err = waf.NewAttempt(c.profile, c.patches, c.existing); err != nil {
			return nil, "", err
		}
		t.before[one.profile] = c.before
	}
	if rules, why = c.known(rules); why != "" {
		return nil, why, nil
	}
	if why, err = c.narrow(rules); why != "" || err != nil {
		return nil, why, err
	}
	for _, id := range c.p.Exclusion.Rules {
		c.p.Messages = append(c.p.Messages, one.rules[id].message)
	}
	c.wholeRequests()
	if t.attacks == nil {
		if t.attacks, err = attacks(); err != nil {
			return nil, "", err
		}
	}
	if why = c.attacked(); why != "" {
		return nil, why, nil
	}
	if err := waf.Prove(c.profile, c.patches, c.exclusions(c.p.Exclusion)); err != nil {
		return nil, unproved(err, c.existing), nil
	}
	return c.p, "", nil
}

// unproved says why an exclusion is not proved beside those there are, whose
// attacks it may let pass.
func unproved(err error, existing []waf.Exclusion) string {
	if u, ok := errors.AsType[*waf.Unproved](err); ok && u.Exclusion < len(existing) && u.MustBlock >= 0 {
		e := existing[u.Exclusion]
		return fmt.Sprintf("with it a request of must_block of the exclusion of %s passes, which has to be refused: %s", e.Target, e.MustBlock[u.MustBlock])
	}
	return "it cannot be proved: " + strings.ReplaceAll(err.Error(), "\n", "; ")
}

func (t *Tuner) profile(name string) *policy.WAFProfile {
	i := slices.IndexFunc(t.doc.WAF, func(p *policy.WAFProfile) bool { return p.Name.V == name })
	if i < 0 {
		return nil
	}
	return t.doc.WAF[i]
}

// alsoUsedBy are the other routes that use the profile of a cluster.
func (t *Tuner) alsoUsedBy(one *cluster) (names []string) {
	for _, r := range t.doc.Routes {
		uses := slices.ContainsFunc(t.doc.Effective(r).WAF, func(v policy.Value[string]) bool { return v.V == one.profile })
		if uses && r.Name.V != one.route {
			names = append(names, r.Name.V)
		}
	}
	return names
}

// inexpressible says why no exclusion reaches what a cluster is about.
func inexpressible(one *cluster) string {
	collection, name, named := strings.Cut(one.target, ":")
	switch {
	case strings.HasPrefix(name, "["):
		return "the name of the part is not told, or has characters that no exclusion can name"
	case strings.HasPrefix(collection, "REQUEST_HEADERS"), strings.HasPrefix(collection, "REQUEST_COOKIES"):
		return "no exclusion reaches header fields and cookies, for which no proof is made: mend the client, or give the route a profile of another paranoia level"
	case collection != "ARGS" && collection != "ARGS_NAMES":
		return fmt.Sprintf("no exclusion reaches %s, which is no single argument", collection)
	case !named:
		return fmt.Sprintf("no exclusion reaches the whole of %s: rules would look at no argument at all", collection)
	}
	if err := (waf.Exclusion{Rules: one.ids(), Target: one.target}).Check(); err != nil {
		return err.Error()
	}
	return ""
}

// known finds the known-good values that rules match at the target, and which of
// the rules do.
func (c *candidate) known(rules []int) (matching []int, why string) {
	_, name, _ := strings.Cut(c.cluster.target, ":")
	others, passes := []int{}, false
	for i := range c.good {
		g := &c.good[i]
		if g.route != "" && g.route != c.cluster.route {
			continue
		}
		for _, arg := range g.arguments() {
			if !strings.EqualFold(arg.Name, name) {
				continue
			}
			text := textFor(c.cluster.target, arg.Value)
			if text == "" || slices.Contains(c.texts, text) {
				continue
			}
			found, err := c.before.AskText(text)
			if err != nil {
				continue
			}
			hit := false
			for _, id := range countingAt(found, c.cluster.target) {
				if slices.Contains(rules, id) {
					hit = true
					if !slices.Contains(matching, id) {
						matching = append(matching, id)
					}
				} else {
					others = append(others, id)
				}
			}
			switch {
			case hit && found.Stopped:
				c.texts = append(c.texts, text)
				c.p.Good = append(c.p.Good, g.name)
			case hit:
				passes = true
			}
		}
	}
	slices.Sort(matching)
	switch {
	case len(c.texts) == 0 && passes:
		return nil, "the known-good requests that it is about pass as they are: the score stays below the threshold"
	case len(c.texts) == 0 && len(others) > 0:
		return nil, fmt.Sprintf("other rules match the known-good requests there (%s), which fewer clients were seen with", ruleList(slices.Compact(slices.Sorted(slices.Values(others)))))
	case len(c.texts) == 0:
		return nil, fmt.Sprintf("no known-good request is refused for it: add one with %s to a file of --good", c.cluster.target)
	}
	return matching, ""
}

// countingAt are the rules that match a target and count towards a denial.
func countingAt(found pipeline.Inspection, target string) (ids []int) {
	for _, m := range found.Matches {
		if m.Denies && strings.EqualFold(m.Target, target) && !slices.Contains(ids, m.Rule) {
			ids = append(ids, m.Rule)
		}
	}
	return ids
}

func (c *candidate) exclusions(e waf.Exclusion) []waf.Exclusion {
	return append(slices.Clone(c.existing), e)
}

// narrow leaves out every rule without which the known-good values pass too,
// those first that the fewest clients were seen with.
func (c *candidate) narrow(rules []int) (why string, err error) {
	byRule, _ := c.clusters.ordinary(c.cluster)
	order := slices.Clone(rules)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(byRule[a], byRule[b]) })
	with, still, err := c.passing(rules)
	if err != nil {
		return "", err
	}
	if still != "" {
		return "known-good requests are refused with the exclusion too: " + still, nil
	}
	for _, id := range order {
		if len(rules) == 1 {
			break
		}
		fewer := slices.DeleteFunc(slices.Clone(rules), func(other int) bool { return other == id })
		narrower, still, err := c.passing(fewer)
		if err != nil {
			return "", err
		}
		if still == "" {
			rules, with = fewer, narrower
		}
	}
	c.with = with
	c.p.Exclusion = waf.Exclusion{Rules: rules, Target: c.cluster.target, MustPass: c.mustPass(rules)}
	return "", nil
}

// passing loads the rules with an exclusion and says which known-good value is
// still refused.
func (c *candidate) passing(rules []int) (with *waf.Attempt, still string, err error) {
	with, err = waf.NewAttempt(c.profile, c.patches, c.exclusions(waf.Exclusion{Rules: rules, Target: c.cluster.target}))
	if err != nil {
		return nil, "", err
	}
	for _, text := range c.texts {
		found, err := with.AskText(text)
		if err != nil {
			return nil, "", err
		}
		if found.Stopped {
			return with, fmt.Sprintf("rules %s match there too, from fewer clients", ruleList(countingAt(found, c.cluster.target))), nil
		}
	}
	return with, "", nil
}

// mustPass are as few of the known-good values as show that each rule is needed.
func (c *candidate) mustPass(rules []int) (texts []string) {
	needed := map[int]bool{}
	for _, text := range c.texts {
		found, err := c.before.AskText(text)
		if err != nil {
			continue
		}
		adds := len(texts) == 0
		for _, id := range countingAt(found, c.cluster.target) {
			if slices.Contains(rules, id) && !needed[id] {
				needed[id], adds = true, true
			}
		}
		if adds {
			texts = append(texts, text)
		}
	}
	return texts
}

// wholeRequests asks about the known-good requests as they stand.
func (c *candidate) wholeRequests() {
	for i := range c.good {
		g := &c.good[i]
		if g.text != "" || !slices.Contains(c.p.Good, g.name) {
			continue
		}
		if found, err := c.with.Ask(g.request, g.body); err == nil && found.Stopped {
			c.p.Still = append(c.p.Still, g.name)
		}
	}
}
