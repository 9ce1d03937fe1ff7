package policy

import "fmt"

// didYouMean is `did you mean "x"?` for the known word nearest to a wrong one,
// or empty when none is near enough to be what was meant.
func didYouMean(wrong string, known []string) string {
	const longest = 64 // names are at most this long; nothing longer is a typo of one
	if len(wrong) > longest {
		return ""
	}
	best, least := "", 1+max(1, len(wrong)/3)
	for _, word := range known {
		if len(word) > longest {
			continue
		}
		if d := distance(wrong, word); d < least {
			best, least = word, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// distance is the Levenshtein distance in bytes, with a swap of neighbours
// counted once: it is the commonest slip of all.
func distance(a, b string) int {
	before, previous, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := previous[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, previous[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous, row = previous, row, before
	}
	return previous[len(b)]
}
