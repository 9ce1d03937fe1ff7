package proof

// Span is all rules whose ids are between two, both included.
type Span struct{ From, To int }

// Spared appends the rules that the engine need not be asked about, when the
// verdict was narrow. No id of a rule that has to be asked is in a span.
func (k *Check) Spared(to []Span) []Span {
	open := false
	for i := range k.program.narrowing.sites {
		s := &k.program.narrowing.sites[i]
		if s.always || s.rule != nil && k.keeps(s.rule) {
			open = false
			continue
		}
		if !open {
			open = true
			to = append(to, Span{s.id, s.id})
		}
		to[len(to)-1].To = s.id
	}
	return to
}

func (k *Check) keeps(r *rule) bool { return k.kept[r.number/64]>>(r.number%64)&1 == 1 }

// keep notes that the engine has to be asked about a rule. It returns false, to
// end a walk, when nothing more can be found out by it.
func (k *Check) keep(r *rule) bool {
	k.kept[r.number/64] |= 1 << (r.number % 64)
	if k.verdict.Clean {
		return true
	}
	if !r.upsets {
		k.enough(r)
	}
	return !k.upset
}

// finds notes that a rule may have an effect.
func (k *Check) finds(r *rule, why string) bool {
	if k.verdict.Clean {
		k.verdict = Verdict{Rule: r.id, Why: why}
	}
	k.upset = k.upset || r.upsets
	k.enough(r)
	return k.keep(r)
}

// enough says that no value needs to be compared with a rule any more.
func (k *Check) enough(r *rule) {
	for _, l := range r.links {
		// What quotes cost the engine is counted to the end.
		if l.kind() == looksAtValues && !l.untangles {
			k.done.add(l.bit)
		}
	}
}
