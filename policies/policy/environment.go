package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// place reads a text that says where something is, the one kind of value that
// differs between machines: ${env:NAME} and ${env:NAME:-default} are expanded.
// What is allowed must not depend on the machine, hence nowhere else.
func place(v *Value[string]) reader {
	return func(d *decoder, n *yaml.Node) {
		if !d.plain(n) {
			return
		}
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
			d.reportf(n, CodeShape, "", "a text belongs here, not %s", shape(n))
			return
		}
		expanded, err := expand(n.Value, d.env)
		if err != nil {
			d.reportf(n, CodeEnvironment, "write ${env:NAME} or ${env:NAME:-default}", "%v", err)
			return
		}
		if value, ok := accept(d, n, expanded, parseText); ok {
			*v = Value[string]{V: value, Pos: d.pos(n), Set: true}
		}
	}
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

// claims reads the claims a token must carry.
func claims(into *[]Claim) reader {
	return func(d *decoder, n *yaml.Node) {
		if !d.plain(n) {
			return
		}
		if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
			d.reportf(n, CodeShape, "write {typ: Bearer}", "claims and their values belong here")
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			var name, value Value[string]
			text(&name)(d, n.Content[i])
			text(&value)(d, n.Content[i+1])
			if !name.Set || !value.Set {
				continue
			}
			if slices.ContainsFunc(*into, func(c Claim) bool { return c.Name == name.V }) {
				d.reportf(n.Content[i], CodeDuplicate, "leave one of them out", "claim %q stands twice", name.V)
				continue
			}
			*into = append(*into, Claim{name.V, value})
		}
	}
}
