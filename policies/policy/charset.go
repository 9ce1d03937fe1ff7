package policy

import "strings"

const (
	nameLongest  = 64  // a metric label, a log field and a header parameter hold it
	tokenLongest = 256 // scopes, audiences and client ids, as tokens carry them
)

// isName reports whether s may name a stanza. Names appear in metrics, events and
// response fields, hence no space, quote or letter that looks like another.
func isName(s string) bool {
	if s == "" || len(s) > nameLongest {
		return false
	}
	for i := range len(s) {
		if !isLower(s[i]) && !isDigit(s[i]) && (i == 0 || !strings.ContainsRune("._-", rune(s[i]))) {
			return false
		}
	}
	return true
}

// isScope reports whether s is a scope-token of RFC 6749 section 3.3.
func isScope(s string) bool {
	return isVisible(s) && !strings.ContainsAny(s, `"\`)
}

// isVisible reports whether s is made of visible ASCII alone.
func isVisible(s string) bool {
	if s == "" || len(s) > tokenLongest {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
