package proof

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/corazawaf/libinjection-go"

	"portcullis/gateway/internal/waf/match"
	"portcullis/gateway/internal/waf/seclang"
)

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
	// guessed says that it stands for one that is not understood: any value may meet
	// it, and none is known to.
	guessed bool
	// untangles says that the operator may take much longer than a value is long.
	untangles bool
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
