package proof

import (
	"slices"
	"strings"

	"portcullis/gateway/internal/waf/seclang"
)

// template is a text with %{macros}, cut into pieces.
type template []piece

// piece is a text, or a macro.
type piece struct {
	text string // of a macro: what stands between the braces
	// variable is in upper case and key in lower case; a text has neither.
	variable, key string
}

func parseTemplate(text string) template {
	var t template
	for text != "" {
		before, rest, found := strings.Cut(text, "%{")
		if before != "" {
			t = append(t, piece{text: before})
		}
		if !found {
			return t
		}
		var inside string
		inside, text, _ = strings.Cut(rest, "}")
		variable, key, _ := strings.Cut(inside, ".")
		t = append(t, piece{text: inside, variable: strings.ToUpper(variable), key: strings.ToLower(key)})
	}
	return t
}

// plain is the text of a template without macros left in it.
func (t template) plain() (string, bool) {
	switch {
	case len(t) == 0:
		return "", true
	case len(t) == 1 && t[0].variable == "":
		return t[0].text, true
	}
	return "", false
}

// source is the text that a template was made from.
func (t template) source() string {
	var b strings.Builder
	for _, p := range t {
		if p.variable == "" {
			b.WriteString(p.text)
		} else {
			b.WriteString("%{" + p.text + "}")
		}
	}
	return b.String()
}

// prefix is the text before the first macro.
func (t template) prefix() string {
	if len(t) > 0 && t[0].variable == "" {
		return t[0].text
	}
	return ""
}

// fold puts the values of constants into a template and joins what is text.
// keep tells which variables of the transaction are none; nil keeps none.
func (t template) fold(constants map[string]string, keep func(key string) bool) template {
	var folded template
	for _, p := range t {
		if p.variable == "TX" && !isCapture(p.key) && (keep == nil || !keep(p.key)) {
			value, set := constants[p.key]
			if !set {
				value = p.text // the engine leaves its name
			}
			p = piece{text: value}
		}
		if last := len(folded) - 1; last >= 0 && folded[last].variable == "" && p.variable == "" {
			folded[last].text += p.text
			continue
		}
		folded = append(folded, p)
	}
	return folded
}

// isCapture tells whether a variable of the transaction is a capture group.
func isCapture(key string) bool { return len(key) == 1 && key[0] >= '0' && key[0] <= '9' }

// assignment is a setvar.
type assignment struct {
	key    template // in lower case
	value  template
	remove bool
}

// assignments are the setvars of a link.
func assignments(link *seclang.Rule) []assignment {
	var all []assignment
	for _, a := range link.Actions {
		if a.Name != "setvar" {
			continue
		}
		text, remove := strings.CutPrefix(a.Value, "!")
		key, value, _ := strings.Cut(text, "=")
		_, key, _ = strings.Cut(key, ".")
		all = append(all, assignment{key: lowered(parseTemplate(key)), value: parseTemplate(value), remove: remove})
	}
	return all
}

func lowered(t template) template {
	t = slices.Clone(t)
	for n := range t {
		t[n].text = strings.ToLower(t[n].text)
	}
	return t
}
