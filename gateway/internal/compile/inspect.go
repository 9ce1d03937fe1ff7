package compile

import (
	"errors"
	"fmt"
	"slices"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// inspect is the stage that asks the profiles of a route; nil without any.
func (b *build) inspect(route string, e policy.Effective) (pipeline.Stage, error) {
	var enforced *waf.Use
	var shadows []waf.Use
	for _, name := range e.WAF {
		i := slices.IndexFunc(b.doc.WAF, func(p *policy.WAFProfile) bool { return p.Name.V == name.V })
		if i < 0 {
			return nil, fmt.Errorf("there is no WAF profile %q", name.V)
		}
		use, err := b.use(route, b.doc.WAF[i])
		switch {
		case err != nil:
			return nil, err
		case b.doc.WAF[i].Mode.V == shadow:
			shadows = append(shadows, use)
		case enforced != nil:
			return nil, fmt.Errorf("it has two WAF profiles in force, %s and %s", enforced.Profile().Name, name.V)
		default:
			enforced = &use
		}
	}
	if enforced == nil && len(shadows) == 0 {
		return nil, nil
	}
	return waf.NewStage(b.Gate, enforced, shadows...), nil
}

// use is a profile as a route uses it.
func (b *build) use(route string, p *policy.WAFProfile) (waf.Use, error) {
	inspector, err := b.inspector(p)
	if err != nil {
		return waf.Use{}, err
	}
	u := waf.Use{Inspector: inspector, Place: place(p.Pos)}
	for _, e := range p.Exclusions {
		u.Exclusions = append(u.Exclusions, place(e.Pos))
	}
	if p.Mode.V == shadow {
		u.Denials = b.shadow(route, waf.Stage, p.Name.V, pipeline.Deny)
		u.Faults = b.shadow(route, waf.Stage, p.Name.V, pipeline.Fault)
	}
	return u, nil
}

// profile is all that a loaded rule set depends on. Reasons, owners and dates of
// exclusions are not among it: they decide nothing.
type profile struct {
	waf.Profile
	exclusions, patches string
}

// inspector is the WAF of a profile; profiles that stay keep their rule set,
// which takes a tenth of a second and 20 MiB to load, the proof in front of it,
// which takes as much again, and the proofs of their exclusions.
func (b *build) inspector(p *policy.WAFProfile) (*waf.Inspector, error) {
	key := keyOf(b.doc, p)
	for _, from := range []*state{b.next, b.prev} {
		if kept, ok := from.inspectors[key]; ok {
			b.next.inspectors[key] = kept
			if kept == nil {
				return nil, errRecorded // by another route
			}
			return kept, nil
		}
	}
	made, err := waf.New(waf.Config{Profile: key.Profile, Exclusions: exclusionsOf(p), Patches: patchesOf(b.doc, p), Programs: b.Programs, Metrics: b.WAFMetrics, Log: b.Log})
	b.next.inspectors[key] = made
	if err != nil {
		b.unproved(p, err)
		return nil, errRecorded
	}
	return made, nil
}

func keyOf(doc *policy.Document, p *policy.WAFProfile) profile {
	return profile{
		Profile: waf.Profile{
			Name: p.Name.V, BlockingParanoia: p.Paranoia.Blocking.V, DetectionParanoia: p.Paranoia.Detection.V,
			Inbound: p.Threshold.Inbound.V, Outbound: p.Threshold.Outbound.V,
			Args: p.Inspect.Args.V, Depth: p.Inspect.Depth.V, Body: p.Inspect.Body.V,
			Responses: responsesOf(p),
			Cost:      p.Inspect.Cost.V, Over: waf.Over(p.Inspect.Over.V), Formats: formatsOf(p),
			Proof: waf.Proof(p.Proof.Or(string(waf.ProofOn))),
		},
		exclusions: fmt.Sprintf("%#v", exclusionsOf(p)),
		patches:    patchesKey(patchesOf(doc, p)),
	}
}

// formatsOf are the kinds of bodies that a profile takes. The policy has been
// validated; what the WAF does not know it is never asked for.
func formatsOf(p *policy.WAFProfile) waf.Formats {
	formats, err := waf.FormatsOf(p.Inspect.Taken())
	if err != nil {
		panic(err)
	}
	return formats
}

func exclusionsOf(p *policy.WAFProfile) []waf.Exclusion {
	var all []waf.Exclusion
	for _, e := range p.Exclusions {
		all = append(all, waf.Exclusion{Rules: policy.Values(e.Rules), Target: e.Target.V, MustPass: policy.Values(e.MustPass), MustBlock: policy.Values(e.MustBlock)})
	}
	return all
}

// unproved records why a profile cannot be used: each exclusion that is not
// proved at the request that disproves it, anything else at the profile.
func (b *build) unproved(p *policy.WAFProfile, err error) {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, err := range all {
		if m, ok := errors.AsType[*waf.PatchMistake](err); ok {
			b.wrongPatch(p, m)
			continue
		}
		u, ok := errors.AsType[*waf.Unproved](err)
		if !ok {
			b.wrong(p.Pos, CodeWAF, fmt.Sprintf("WAF profile %q: %v", p.Name.V, err), "")
			continue
		}
		e := p.Exclusions[u.Exclusion]
		at := e.Pos
		switch {
		case u.MustPass >= 0:
			at = e.MustPass[u.MustPass].Pos
		case u.MustBlock >= 0:
			at = e.MustBlock[u.MustBlock].Pos
		}
		b.wrong(at, CodeExclusion, fmt.Sprintf("an exclusion of WAF profile %q is not proved: %s", p.Name.V, u.What), u.Mend)
	}
}
