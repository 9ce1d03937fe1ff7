package proof

import (
	"time"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/seclang"
)

// load is what the values of a variable are.
type load struct{ values, bytes int }

func (l *load) add(value string) {
	l.values++
	l.bytes += len(value)
}

// weight is what the engine takes to hold a link against values, in nanoseconds
// on one core of the reference machine.
type weight struct{ value, byte float64 }

// What the engine takes besides operators, as BenchmarkCost of package waf has
// measured it.
const (
	nsOfValue       = 350 // to fetch a value for a link and to note it
	nsOfStep        = 60  // of a transformation, for each value
	nsOfByteAndStep = 6   // and for each byte
	nsOfRequest     = 100_000
	nsOfRule        = 700  // that is always asked
	nsOfPart        = 2000 // to read a part of the request, once
	nsOfByte        = 20   // of it
	nsOfUnread      = 50   // behind what a pattern matches
)

// nsOfOperator are the operators whose cost is worth telling, for each byte.
var nsOfOperator = map[string]float64{"pm": 20, "pmFromFile": 20, "pmf": 20, "detectSQLi": 60, "detectXSS": 60, "validateUtf8Encoding": 5, "validateByteRange": 5}

func weightOf(l *link, text *seclang.Rule) weight {
	steps := float64(len(text.Transformations))
	w := weight{value: nsOfValue + nsOfStep*steps, byte: nsOfOperator[l.name]}
	if l.pattern != nil {
		w.byte = l.pattern.Weight()
	}
	if l.every {
		w.byte *= steps + 1
	}
	w.byte += nsOfByteAndStep * steps
	return w
}

// unread is how much of a value that meets the link the engine reads for little.
func (l *link) unread(value string) int {
	if l.pattern == nil || l.negated || len(value) < 256 {
		return 0
	}
	return l.pattern.Unread(value)
}

// nsOfTangle is what each doubled or escaped quote takes @detectSQLi, for each
// byte of the value.
const nsOfTangle = 3

// Tangled is about how long @detectSQLi takes for the quotes of a value. At each
// one that is doubled or escaped it searches the whole text again: 60 KB of two
// quotes and a letter, at random, take two seconds.
func Tangled(value string) time.Duration {
	quotes := 0
	for i := 1; i < len(value); i++ {
		switch c := value[i]; c {
		case '\'', '"', '`':
			if before := value[i-1]; before == c || before == '\\' {
				quotes++
				i++ // of four in a row two are doubled
			}
		}
	}
	return time.Duration(quotes * len(value) * nsOfTangle)
}

// untangles adds what the quotes of a value cost, the proof and, should it have
// to be asked, the engine; false ends the walk.
func (k *Check) untangles(value string) bool {
	ns := float64(Tangled(value))
	if ns == 0 {
		return true
	}
	k.tangled += ns
	k.pure = false // who remembers the value has to know that
	if k.within == 0 || k.tangled <= k.within {
		return true
	}
	k.unsure("quotes that would take long to inspect")
	k.verdict.Dear = true
	return false
}

// Within ends a check early, as Dear, when the engine would take more than a
// time for the rules that have to be asked. It is said before Head; 0 is no bound.
func (k *Check) Within(most time.Duration) { k.within = float64(most) }

// affords adds what a value costs a rule that has to be asked; false ends the walk.
func (k *Check) affords(l *link, value string) bool {
	k.spent += l.weight.value + l.weight.byte*float64(len(value)) - k.saved(l.rule)
	if k.within == 0 || k.spent <= k.within {
		return true
	}
	k.verdict.Dear = true
	return k.unsure("")
}

// saved is what the engine is spared of a rule's values, because it matches.
func (k *Check) saved(r *rule) float64 {
	return float64(k.unread[r.number]) * max(0, r.links[0].weight.byte-nsOfUnread)
}

// Cost is about how much CPU time the engine would take on one core of the
// reference machine for a narrow verdict: for the rules that have to be asked,
// and all that the request holds for them.
func (k *Check) Cost() time.Duration {
	n := &k.program.narrowing
	ns := float64(nsOfRequest + nsOfRule*n.asked)
	for v := range k.loads {
		ns += nsOfPart*float64(k.loads[v].values) + nsOfByte*float64(k.loads[v].bytes)
	}
	tangled := 0.0
	for _, r := range k.program.rules {
		if k.keeps(r) || r.asked {
			for _, l := range r.links {
				ns += k.costOf(l)
				if l.untangles {
					tangled = k.tangled
				}
			}
			ns -= k.saved(r)
		}
	}
	return time.Duration(ns + tangled)
}

func (k *Check) costOf(l *link) (ns float64) {
	var all load
	for n := range l.selections {
		s := &l.selections[n]
		for _, v := range sources[s.name] {
			if v != collect.Headers || s.all() {
				all.values += k.loads[v].values
				all.bytes += k.loads[v].bytes
				continue
			}
			for f := range k.head.Fields {
				if field := &k.head.Fields[f]; s.mayBe(field.Name) && s.covers(field.Name, k.lowered(field.Name)) {
					all.add(field.Value)
				}
			}
		}
	}
	return l.weight.value*float64(all.values) + l.weight.byte*float64(all.bytes)
}
