package proof

import (
	"strings"
	"testing"
)

// BenchmarkAnswersAgainstTheEngine prints what a verdict on an answer costs beside
// the engine in the same run, which is shown the request too.
func BenchmarkAnswersAgainstTheEngine(b *testing.B) {
	paragraph := "<p>The rooms at the Grand Hotel are quiet, have a view of the sea, and breakfast is served from 7 to 10.</p>\n"
	both, err := newBoth(strings.Replace(withAnswers(1), leftOut, "", 1))
	if err != nil {
		b.Fatal(err)
	}
	q := get("/api/v1/orders/12345")
	for _, c := range []struct {
		name string
		*reply
	}{
		{"JSON 1 KB", html(200, jsonOf(1024))},
		{"page 10 KB", html(200, strings.Repeat(paragraph, 10<<10/len(paragraph)))},
		{"page 100 KB", html(200, strings.Repeat(paragraph, 100<<10/len(paragraph)))},
	} {
		b.Run(c.name, func(b *testing.B) {
			ask := func() {
				if v := both.Answer(&c.Answer, c.body); !v.Clean {
					b.Fatal(v)
				}
			}
			for b.Loop() {
				ask()
			}
			ours := perRound(b, 100, ask)
			theirs := perRound(b, 2, func() { leaks(b, both.WAF, q, c.reply) })
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ours/1000, "proof-us")
			b.ReportMetric(theirs/1000, "engine-us")
			b.ReportMetric(theirs/ours, "times")
		})
	}
}

// BenchmarkCompileAnswers is what a policy that looks at answers costs when it is
// loaded.
func BenchmarkCompileAnswers(b *testing.B) {
	text := strings.Replace(withAnswers(1), leftOut, "", 1)
	for b.Loop() {
		if _, err := newBoth(text); err != nil {
			b.Fatal(err)
		}
	}
}
