package policy

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// decoder turns the YAML of one file after another into a document. It goes on
// after a mistake, so that all of them come at once.
type decoder struct {
	doc      *Document
	env      func(string) (string, bool)
	file     string
	once     map[string]Pos // keys that may stand in one file only
	mistakes Mistakes
}

// reader reads the value of one key.
type reader func(d *decoder, n *yaml.Node)

// field is a key that a mapping may have, and what reads its value.
type field struct {
	key      string
	required bool
	read     reader
}

// pos is the node's place; it remembers how wide the value there is.
func (d *decoder) pos(n *yaml.Node) Pos {
	p := Pos{d.file, n.Line, n.Column}
	if s := d.doc.sources[d.file]; s != nil {
		if _, known := s.widths[p]; !known {
			s.widths[p] = width(n)
		}
	}
	return p
}

// width is how many characters of the node stand on its first line.
func width(n *yaml.Node) int {
	switch {
	case n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Style&yaml.FlowStyle == 0:
		return width(n.Content[0])
	case n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0:
		w := len([]rune(n.Value))
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			w += 2
		}
		return max(1, w)
	default:
		return 1
	}
}

func (d *decoder) report(at Pos, code, what, why, hint string) {
	d.doc.partial = true
	m := d.doc.Excerpt(At(at, code, withoutKey(what), hint))
	m.Why = why
	d.mistakes = append(d.mistakes, m)
}

func (d *decoder) reportf(n *yaml.Node, code, hint, format string, args ...any) {
	d.report(d.pos(n), code, fmt.Sprintf(format, args...), "", hint)
}

// plain refuses what YAML can do and a policy should not: an anchor or a merge
// lets a line far away change what this one says, a tag what type it has.
func (d *decoder) plain(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		d.reportf(n, CodeFeature, "write the value out where it is used", "alias *%s: policies have no aliases", n.Value)
	case n.Anchor != "":
		d.reportf(n, CodeFeature, "write the value out where it is used", "anchor &%s: policies have no anchors", n.Anchor)
	case n.Tag == "!!merge":
		d.reportf(n, CodeFeature, "write the keys out where they are used", "<<: policies have no merge keys")
	case n.Style&yaml.TaggedStyle != 0:
		d.reportf(n, CodeFeature, "leave the tag out", "tag %s: policies have no tags", n.Tag)
	default:
		return true
	}
	return false
}

// fields reads a mapping by its table of keys.
func (d *decoder) fields(n *yaml.Node, what string, table []field) {
	if !d.plain(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.reportf(n, CodeShape, "write keys: "+keys(table), "%s must be a mapping of keys, not %s", what, shape(n))
		return
	}
	seen := make(map[string]Pos, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !d.plain(key) {
			continue
		}
		if key.Kind != yaml.ScalarNode {
			d.reportf(key, CodeShape, "", "a key must be a word")
			continue
		}
		if first, twice := seen[key.Value]; twice {
			d.report(d.pos(key), CodeDuplicate, fmt.Sprintf("key %q stands twice in %s", key.Value, what),
				fmt.Sprintf("first on line %d", first.Line), "leave one of them out")
			continue
		}
		seen[key.Value] = d.pos(key)
		f := slices.IndexFunc(table, func(f field) bool { return f.key == key.Value })
		if f < 0 {
			d.report(d.pos(key), CodeUnknownKey, fmt.Sprintf("unknown key %q in %s", key.Value, what),
				didYouMean(key.Value, words(table)), what+" may have: "+keys(table))
			continue
		}
		if empty(value) {
			d.reportf(key, CodeMissing, "give it a value or leave the key out", "key %q has no value", key.Value)
			continue
		}
		table[f].read(d, value)
	}
	for _, f := range table {
		if _, ok := seen[f.key]; f.required && !ok {
			d.reportf(n, CodeMissing, "", "%s lacks the key %q", what, f.key)
		}
	}
}

func words(table []field) []string {
	names := make([]string, len(table))
	for i, f := range table {
		names[i] = f.key
	}
	return names
}

func keys(table []field) string { return strings.Join(words(table), ", ") }

func empty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// shape names what a node is, for people.
func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("the value %q", n.Value)
	}
}

// items reads a list; each is called for every entry.
func (d *decoder) items(n *yaml.Node, mayBeEmpty bool, each reader) {
	if !d.plain(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.reportf(n, CodeShape, "write [a, b], or one entry a line with a dash", "a list belongs here, not %s", shape(n))
		return
	}
	if len(n.Content) == 0 && !mayBeEmpty {
		d.reportf(n, CodeMissing, "name at least one entry, or leave the key out", "an empty list says nothing here")
	}
	for _, entry := range n.Content {
		if empty(entry) {
			d.reportf(entry, CodeMissing, "", "a list entry has no value")
			continue
		}
		each(d, entry)
	}
}

// list reads a list of stanzas.
func list[T any](into *[]*T, read func(d *decoder, n *yaml.Node) *T) reader {
	return func(d *decoder, n *yaml.Node) {
		d.items(n, false, func(d *decoder, entry *yaml.Node) {
			*into = append(*into, read(d, entry))
		})
	}
}

// either reads {none: reason} into none and anything else with otherwise. The
// reason is not optional: a stage left out is a decision someone answers for.
func either(none *Value[string], otherwise reader) reader {
	return func(d *decoder, n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			otherwise(d, n)
			return
		}
		d.fields(n, "an opt-out", []field{{"none", true, text(none)}})
	}
}
