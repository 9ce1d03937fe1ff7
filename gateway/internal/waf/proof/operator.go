package proof

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/corazawaf/libinjection-go"

	"portcullis/gateway/internal/waf/match"
)

// operator compares a value with the argument, in which macros have been
// expanded. It is the engine's, for every value.
type operator func(value, argument string) bool

// comparing are the operators on a text that may hold macros.
var comparing = map[string]operator{
	"within":     func(v, a string) bool { return strings.Contains(a, v) },
	"contains":   strings.Contains,
	"strmatch":   strings.Contains,
	"streq":      func(v, a string) bool { return v == a },
	"beginsWith": strings.HasPrefix,
	"endsWith":   strings.HasSuffix,
	"eq":         func(v, a string) bool { return number(v) == number(a) },
	"ge":         func(v, a string) bool { return number(v) >= number(a) },
	"gt":         func(v, a string) bool { return number(v) > number(a) },
	"le":         func(v, a string) bool { return number(v) <= number(a) },
	"lt":         func(v, a string) bool { return number(v) < number(a) },
}

// number is what the engine takes a text for; 0 when it is none, and the nearest
// number there is when it is too large.
func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// containsAny looks for words in lower case without regard to the case of ASCII
// letters, as the engine does.
func containsAny(value string, words []string) bool {
	lower := value
	for i := range len(value) {
		if 'A' <= value[i] && value[i] <= 'Z' {
			b := []byte(value)
			for i, c := range b {
				if 'A' <= c && c <= 'Z' {
					b[i] = c | 0x20
				}
			}
			lower = string(b)
			break
		}
	}
	for _, w := range words {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

// byteRange reads the bytes a @validateByteRange takes.
func byteRange(text string) (valid [256]bool, err error) {
	if text == "" {
		return valid, nil // of which every value has none
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		least, err1 := strconv.Atoi(from)
		most, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || least < 0 || most > 255 {
			return valid, fmt.Errorf("bytes %q", part)
		}
		for b := least; b <= most; b++ {
			valid[b] = true
		}
	}
	return valid, nil
}

func within(value string, valid [256]bool) bool {
	for i := range len(value) {
		if !valid[value[i]] {
			return false
		}
	}
	return true
}

// outside is the mask of the bytes that are not valid.
func outside(valid [256]bool) match.Mask {
	var m match.Mask
	for b, ok := range valid {
		if !ok {
			m |= match.MaskOfByte(byte(b))
		}
	}
	return m
}

func brokenURLEncoding(value string) bool {
	for i := 0; i < len(value); i++ {
		if value[i] != '%' {
			continue
		}
		if i+2 >= len(value) || !isHex(value[i+1]) || !isHex(value[i+2]) {
			return true
		}
		i += 2
	}
	return false
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// isSQLi asks libinjection, but not about what it reads as one token: no list of
// its has a fingerprint of one.
func isSQLi(value string) bool {
	if value == "" || isWord(value) {
		return false
	}
	found, _ := libinjection.IsSQLi(value)
	return found
}

// isWord tells whether libinjection reads value as one bare word or one number.
func isWord(value string) bool {
	letter := 'a' <= value[0]|0x20 && value[0]|0x20 <= 'z'
	if !letter && (value[0] < '1' || value[0] > '9') {
		return false
	}
	for i := 1; i < len(value); i++ {
		c := value[i]
		digit := '0' <= c && c <= '9'
		if !digit && !(letter && (c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z')) {
			return false
		}
	}
	return true
}

// addresses compiles the networks of an @ipMatch; the engine ignores those it
// cannot read.
func addresses(text string) func(string) bool {
	var networks []*net.IPNet
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if !strings.Contains(part, "/") {
			if strings.Contains(part, ":") {
				part += "/128"
			} else if strings.Contains(part, ".") {
				part += "/32"
			}
		}
		if _, network, err := net.ParseCIDR(part); err == nil {
			networks = append(networks, network)
		}
	}
	return func(value string) bool {
		ip := net.ParseIP(value)
		for _, n := range networks {
			if n.Contains(ip) {
				return true
			}
		}
		return false
	}
}
