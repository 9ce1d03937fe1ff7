package proof

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/corazawaf/libinjection-go"

	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/seclang"
)

// operator compares a value with the argument, in which macros have been
// expanded. It is the engine's, for every value.
type operator func(value, argument string) bool

// condition is an operator of a link with what it needs.
type condition struct {
	name     string
	operator operator
	argument template
	negated  bool
	// need holds for every value the condition holds for; nothing for a negated
	// one. sure says that whoever meets the sets of the need is matched.
	need match.Need
	sure bool
	// pattern is the argument of an @rx.
	pattern *match.Pattern
	// untangles says that the operator may take much longer than a value is long.
	untangles bool
}

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

// condition compiles the operator of a link. The error says what is not
// provable.
func (c *compiler) condition(link *seclang.Rule) (*condition, error) {
	o := link.Operator
	d := &condition{name: o.Name, negated: o.Negated}
	if compare, ok := comparing[o.Name]; ok {
		d.operator, d.argument = compare, parseTemplate(o.Argument)
		return d, nil
	}
	of := func(f func(string) bool) { d.operator = func(v, _ string) bool { return f(v) } }
	switch o.Name {
	case "rx":
		p, err := match.NewPattern(o.Argument, c.budget)
		if err != nil {
			return nil, err
		}
		d.pattern = p
		d.need = p.Need
		of(p.Match)
	case "pm", "pmFromFile", "pmf":
		words, err := c.words(link)
		if err != nil {
			return nil, err
		}
		of(func(v string) bool { return containsAny(v, words) })
		if !hasEmpty(words) {
			d.need, d.sure = match.Need{Sets: [][]string{words}}, true
		}
	case "unconditionalMatch":
		of(func(string) bool { return true })
	case "noMatch":
		of(func(string) bool { return false })
	case "validateByteRange":
		valid, err := byteRange(o.Argument)
		if err != nil {
			return nil, err
		}
		of(func(v string) bool { return o.Argument == "" || v != "" && !within(v, valid) })
		if o.Argument != "" {
			d.need.Masks = []match.Mask{outside(valid)}
		}
	case "validateUtf8Encoding":
		of(func(v string) bool { return !utf8.ValidString(v) })
		d.need.Masks = []match.Mask{match.High}
	case "validateUrlEncoding":
		of(brokenURLEncoding)
		d.need.Masks = []match.Mask{match.MaskOfByte('%')}
	case "detectSQLi":
		of(isSQLi)
		d.untangles = true
	case "detectXSS":
		of(libinjection.IsXSS)
		d.need.Masks = []match.Mask{match.MaskOfByte('<') | match.MaskOfByte('=')}
	case "ipMatch":
		of(addresses(o.Argument))
	default:
		return nil, fmt.Errorf("operator @%s", o.Name)
	}
	if d.negated {
		d.need, d.sure = match.Need{}, false
	}
	return d, nil
}

// words are the phrases of a @pm, or of the file beside the rule's.
func (c *compiler) words(link *seclang.Rule) ([]string, error) {
	o := link.Operator
	if o.Name == "pm" {
		return strings.Split(strings.ToLower(o.Argument), " "), nil
	}
	name := o.Argument
	if !path.IsAbs(name) {
		name = path.Join(path.Dir(link.File), name)
	}
	text, err := fs.ReadFile(c.files, name)
	if err != nil {
		return nil, err
	}
	var words []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && line[0] != '#' {
			words = append(words, strings.ToLower(line))
		}
	}
	return words, lines.Err()
}

func hasEmpty(words []string) bool {
	for _, w := range words {
		if w == "" {
			return true
		}
	}
	return len(words) == 0
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
