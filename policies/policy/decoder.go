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
	gateway  Gateway // the document's, once one of its keys is read
	env      func(string) (string, bool)
	file     string
	once     map[string]Pos // keys that may stand in one file only
	mistakes Mistakes
}

// reader is one kind of value: how it is read, and what editors and the
// reference say of it.
type reader struct {
	read   func(d *decoder, n *yaml.Node)
	schema func() *schema
	// table are the keys of a mapping, or of each entry of a list of mappings;
	// nil for any other value.
	table func() table
}

// table is one kind of mapping. Decoding, hints, the JSON Schema and the
// reference all follow from the tables.
type table struct {
	what string // as in "a route must be a mapping"
	pos  *Pos   // where its place is kept; nil where nobody asks
	keys []field
}

// field is a key that a mapping may have, and what stands there.
type field struct {
	key      string
	required bool
	reader   reader
	doc      string // for the reference, in Markdown
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

// fields reads a mapping by its table.
func (d *decoder) fields(n *yaml.Node, t table) {
	if t.pos != nil {
		*t.pos = d.pos(n)
	}
	if !d.plain(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.reportf(n, CodeShape, "write keys: "+t.words(), "%s must be a mapping of keys, not %s", t.what, shape(n))
		return
	}
	seen, meant := make(map[string]Pos, len(n.Content)/2), map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !d.key(key, t.what, seen) {
			continue
		}
		f := slices.IndexFunc(t.keys, func(f field) bool { return f.key == key.Value })
		if f < 0 {
			why := didYouMean(key.Value, t.names())
			meant[why] = true
			d.report(d.pos(key), CodeUnknownKey, fmt.Sprintf("unknown key %q in %s", key.Value, t.what), why, t.what+" may have: "+t.words())
			continue
		}
		if empty(value) {
			d.reportf(key, CodeMissing, "give it a value or leave the key out", "key %q has no value", key.Value)
			continue
		}
		t.keys[f].reader.read(d, value)
	}
	for _, f := range t.keys {
		// A misspelled key is one mistake, not two.
		if _, ok := seen[f.key]; f.required && !ok && !meant[fmt.Sprintf("did you mean %q?", f.key)] {
			d.reportf(n, CodeMissing, "add "+f.key+": "+f.gist(), "%s lacks the key %q", t.what, f.key)
		}
	}
}

// gist is the first sentence of what the reference says, as plain text.
func (f field) gist() string {
	first, _, _ := strings.Cut(f.doc, ". ")
	first, _, _ = strings.Cut(first, "; see ")
	return strings.NewReplacer("`", "", `\|`, "|").Replace(first)
}

// key checks a key of any mapping: a plain word that does not stand twice.
func (d *decoder) key(n *yaml.Node, what string, seen map[string]Pos) bool {
	if !d.plain(n) {
		return false
	}
	if n.Kind != yaml.ScalarNode {
		d.reportf(n, CodeShape, "", "a key must be a word")
		return false
	}
	if first, twice := seen[n.Value]; twice {
		d.report(d.pos(n), CodeDuplicate, fmt.Sprintf("key %q stands twice in %s", n.Value, what),
			fmt.Sprintf("first on line %d", first.Line), "leave one of them out")
		return false
	}
	seen[n.Value] = d.pos(n)
	return true
}

func (t table) names() []string {
	names := make([]string, len(t.keys))
	for i, f := range t.keys {
		names[i] = f.key
	}
	return names
}

func (t table) words() string { return strings.Join(t.names(), ", ") }

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
func (d *decoder) items(n *yaml.Node, mayBeEmpty bool, each func(d *decoder, entry *yaml.Node)) {
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

// mapping reads the keys of a table.
func mapping(t table) reader {
	return reader{
		read:   func(d *decoder, n *yaml.Node) { d.fields(n, t) },
		schema: t.schema,
		table:  func() table { return t },
	}
}

// optional reads a mapping that is not there when its key is not.
func optional[T any](into **T, of func(*T) table) reader {
	return reader{
		read: func(d *decoder, n *yaml.Node) {
			*into = new(T)
			d.fields(n, of(*into))
		},
		schema: func() *schema { return of(new(T)).schema() },
		table:  func() table { return of(new(T)) },
	}
}

// list reads a list of mappings.
func list[T any](into *[]*T, of func(*T) table) reader {
	return reader{
		read: func(d *decoder, n *yaml.Node) {
			d.items(n, false, func(d *decoder, entry *yaml.Node) {
				v := new(T)
				d.fields(entry, of(v))
				*into = append(*into, v)
			})
		},
		schema: func() *schema { return &schema{Type: "array", MinItems: 1, Items: of(new(T)).schema()} },
		table:  func() table { return of(new(T)) },
	}
}

// either reads {none: reason} into none and anything else with otherwise. The
// reason is not optional: a stage left out is a decision someone answers for.
func either(none *Value[string], otherwise reader) reader {
	optOut := table{"an opt-out", nil, []field{{"none", true, text(none), "why it is left out"}}}
	return reader{
		read: func(d *decoder, n *yaml.Node) {
			if n.Kind != yaml.MappingNode {
				otherwise.read(d, n)
				return
			}
			d.fields(n, optOut)
		},
		schema: func() *schema { return anyOf(otherwise.schema(), optOut.schema()) },
	}
}
