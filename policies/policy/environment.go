package policy

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// place reads a text that says where something is, the one kind of value that
// differs between machines: ${env:NAME} and ${env:NAME:-default} are expanded.
// What is allowed must not depend on the machine, hence nowhere else.
func place(v *Value[string]) reader {
	read := func(d *decoder, n *yaml.Node) {
		if !d.scalar(n, "a text", "!!str") {
			return
		}
		expanded, err := expand(n.Value, d.env)
		if err != nil {
			d.reportf(n, CodeEnvironment, "write ${env:NAME} or ${env:NAME:-default}", "%v", err)
			return
		}
		if value, ok := accept(d, n, expanded, parseText); ok {
			*v = Value[string]{V: value, Pos: d.pos(n), Set: true}
			if strings.Contains(n.Value, "${") {
				d.doc.written[v.Pos] = n.Value
			}
		}
	}
	return reader{read: read, schema: text(v).schema}
}

// Written is a value as its file has it, with its references to the environment:
// what they come to on one machine says nothing about another.
func (d *Document) Written(v Value[string]) string {
	if text, ok := d.written[v.Pos]; ok {
		return text
	}
	return v.V
}

func places(vs *[]Value[string]) reader { return listOf(vs, false, place) }

// expand replaces the references in s. What a variable holds is not expanded
// again, and an empty variable counts as none, as in a shell's ${NAME:-default}.
func expand(s string, env func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		reference, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", fmt.Errorf("%q opens a reference and does not close it", "${"+rest)
		}
		name, isEnv := strings.CutPrefix(reference, "env:")
		name, fallback, hasFallback := strings.Cut(name, ":-")
		if !isEnv || !variable(name) {
			return "", fmt.Errorf("%q is not a reference to the environment", "${"+reference+"}")
		}
		value, ok := env(name)
		switch {
		case ok && value != "":
			out.WriteString(value)
		case hasFallback:
			out.WriteString(fallback)
		default:
			return "", fmt.Errorf("the environment variable %s is not set and has no default", name)
		}
		s = after
	}
}

func variable(name string) bool {
	ok, _ := regexp.MatchString(`\A[A-Z_][A-Z0-9_]{0,63}\z`, name)
	return ok
}
