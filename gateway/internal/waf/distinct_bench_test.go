package waf

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"

	crs "github.com/corazawaf/coraza-coreruleset/v4"

	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/proof"
)

// distinct are profiles of one policy that differ in thresholds and exclusions
// only.
func distinct() []Config {
	var all []Config
	for n := range 5 {
		c := Config{Profile: Profile{Name: fmt.Sprint("profile-", n), Inbound: 5 + n}, Log: slog.New(slog.DiscardHandler)}
		if n%2 == 1 {
			c.Exclusions = []Exclusion{quoted()}
		}
		all = append(all, c)
	}
	return all
}

// BenchmarkLoadDistinct is what each of the distinct profiles of a policy costs:
// CPU time and the memory it keeps, as a whole, which is engine, proof and their
// checks, and the proof alone.
func BenchmarkLoadDistinct(b *testing.B) {
	b.Run("profile", func(b *testing.B) {
		programs := NewPrograms()
		eachCosts(b, func(c Config) any {
			c.Programs = programs
			i, err := New(c)
			if err != nil {
				b.Fatal(err)
			}
			return i
		})
	})
	b.Run("proof", func(b *testing.B) {
		automata := match.NewAutomata()
		eachCosts(b, func(c Config) any {
			p, err := c.Profile.complete()
			if err != nil {
				b.Fatal(err)
			}
			rules, err := rulesWith(nil)
			if err != nil {
				b.Fatal(err)
			}
			text := p.directives(rules)
			for _, e := range c.Exclusions {
				text += e.directives()
			}
			made, err := proof.Compile(proof.Config{Files: crs.FS, Directives: text, Automata: automata})
			if err != nil {
				b.Fatal(err)
			}
			return made
		})
	})
}

// eachCosts reports the first, which finds nothing that it could share, and the
// mean of the others.
func eachCosts(b *testing.B, load func(Config) any) {
	for b.Loop() {
		var kept []any
		var took, grew []float64
		for _, c := range distinct() {
			heap, began := heapOf(), cpu(b)
			kept = append(kept, load(c))
			took = append(took, float64(cpu(b)-began)/1e6)
			grew = append(grew, float64(heapOf()-heap)/(1<<20))
		}
		runtime.KeepAlive(kept)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(took[0], "first-cpu-ms")
		b.ReportMetric(grew[0], "first-MiB")
		b.ReportMetric(mean(took[1:]), "next-cpu-ms")
		b.ReportMetric(mean(grew[1:]), "next-MiB")
	}
}

// heapOf is what is in use, after what is not has been given back.
func heapOf() int64 {
	runtime.GC()
	runtime.GC() // pools are emptied in two steps
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
