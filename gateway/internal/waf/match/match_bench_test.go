package match

import (
	"regexp"
	"testing"
)

// BenchmarkAgent looks at a browser's User-Agent in three ways.
func BenchmarkAgent(b *testing.B) {
	const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
	const expression = `(?i)\b(?:union\s+select|exec\s*\(|<script[^>]*>|order\s+by\s+\d)`
	p := pattern(b, expression)
	re := regexp.MustCompile(flags + expression)
	a := automatonOf(b, rulePatterns(b))
	candidates := a.NewBits()
	found := make(Bits, 2*len(candidates))
	b.Run("literals of 294 patterns", func(b *testing.B) {
		b.SetBytes(int64(len(agent)))
		for b.Loop() {
			a.Candidates(agent, found, candidates)
		}
	})
	b.Run("mask", func(b *testing.B) {
		b.SetBytes(int64(len(agent)))
		for b.Loop() {
			MaskOf(agent)
		}
	})
	b.Run("one pattern", func(b *testing.B) {
		b.SetBytes(int64(len(agent)))
		for b.Loop() {
			p.Match(agent)
		}
	})
	b.Run("one pattern by regexp", func(b *testing.B) {
		b.SetBytes(int64(len(agent)))
		for b.Loop() {
			re.MatchString(agent)
		}
	})
}
