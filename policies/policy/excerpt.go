package policy

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// source is a file as it was read: what mistakes found later quote from.
type source struct {
	lines  []string
	widths map[Pos]int // of the values that were read
}

// Excerpt returns the mistake with the source line it was made on and the
// width of the value there, when the document has them.
func (d *Document) Excerpt(m Mistake) Mistake {
	s, ok := d.sources[m.Pos.File]
	if !ok || m.Pos.Line < 1 || m.Pos.Line > len(s.lines) {
		return m
	}
	m.Source = []string{s.lines[m.Pos.Line-1]}
	m.Width = max(1, s.widths[m.Pos])
	return m
}

// lines splits a file for quoting. Characters that could move a terminal's
// cursor or colour it are replaced, one for one, so that columns stay true and
// a policy file cannot forge what the tool says about it. What stands in a
// private key, or as the password of an address, is replaced as well: mistakes are
// logged, and shown in reviews.
func lines(data []byte) []string {
	split := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	private := false
	for i, line := range split {
		begins := strings.Contains(line, "-----BEGIN ") && strings.Contains(line, privateKey)
		switch {
		case begins:
			line = withoutKey(line)
		case private:
			line = "…"
		}
		private = (private || begins) && !strings.Contains(split[i], "-----END")
		for _, at := range slices.Backward(passwordInAddress().FindAllStringSubmatchIndex(line, -1)) {
			line = line[:at[2]] + strings.Repeat("*", utf8.RuneCountInString(line[at[2]:at[3]])) + line[at[3]:]
		}
		split[i] = strings.Map(printable, line)
	}
	return split
}

// passwordInAddress finds the password of a URL.
var passwordInAddress = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`://[^\s"',:/@]*:([^\s"',/]+)@`)
})

// privateKey is in the first line of every private key written as PEM.
const privateKey = "PRIVATE KEY"

// withoutKey cuts a text that holds a private key where the key begins.
func withoutKey(text string) string {
	before, _, found := strings.Cut(text, privateKey)
	if !found {
		return text
	}
	return before + privateKey + "…"
}

func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case unicode.IsPrint(r):
		return r
	default:
		return unicode.ReplacementChar
	}
}
