package policy

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// spot is a line and a column in a file, from 0.
type spot struct{ line, column int }

// block is a mapping or list of one entry a line: the column of its keys or
// dashes, as it is and as it shall be. The root's parent is nil.
type block struct {
	parent   *block
	old, new int
}

// formatter gives one file its form. What stands where is told by the nodes of
// the file, not guessed from its text.
type formatter struct {
	name   string
	lines  [][]rune
	keys   map[spot]*yaml.Node // of blocks
	blocks map[spot]*block     // by the place of each key and dash
	texts  map[spot]*yaml.Node // scalars that are no keys of blocks, by their first character

	out     []string
	pending []waiting // comments and blank lines before the next line
	current *block    // the innermost at the line before
	err     error
}

func newFormatter(name, text string) *formatter {
	f := &formatter{name: name, keys: map[spot]*yaml.Node{}, blocks: map[spot]*block{}, texts: map[spot]*yaml.Node{}}
	for line := range strings.SplitSeq(text, "\n") {
		f.lines = append(f.lines, []rune(line))
	}
	return f
}

// mark finds the place of every key, dash and text.
func (f *formatter) mark(root *yaml.Node) error {
	if root == nil || len(root.Content) == 0 {
		return nil
	}
	f.node(root.Content[0], nil)
	return f.err
}

func at(n *yaml.Node) spot { return spot{n.Line - 1, n.Column - 1} }

func (f *formatter) node(n *yaml.Node, in *block) {
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "", n.Style&yaml.TaggedStyle != 0:
		f.refuse(n, "anchors, aliases and tags have no form that policies know")
	case n.Kind == yaml.ScalarNode:
		if !empty(n) || n.Value != "" {
			f.texts[at(n)] = n
		}
	case n.Style&yaml.FlowStyle != 0:
		for _, child := range n.Content {
			f.node(child, nil)
		}
	default:
		b := &block{parent: in, old: n.Column - 1}
		if in != nil {
			b.new = in.new + indentation
		}
		if n.Kind == yaml.MappingNode {
			f.mapping(n, b)
		} else {
			f.list(n, b)
		}
	}
}

// indentation is how far what belongs to a key or a dash stands right of it.
const indentation = 2

func (f *formatter) mapping(n *yaml.Node, b *block) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		s := at(key)
		if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&yaml.TaggedStyle != 0 || !f.begins(s) {
			f.refuse(key, "a key must be a word at the begin of a line")
			return
		}
		f.keys[s], f.blocks[s] = key, b
		f.node(n.Content[i+1], b)
	}
}

func (f *formatter) list(n *yaml.Node, b *block) {
	for _, entry := range n.Content {
		s := spot{entry.Line - 1, b.old}
		for s.line > 0 && !f.isDash(s) {
			s.line--
		}
		if !f.isDash(s) || f.blocks[s] != nil {
			f.refuse(entry, "the dash of this entry cannot be found")
			return
		}
		f.blocks[s] = b
		f.node(entry, b)
	}
}

// isDash reports whether an entry of a list begins here.
func (f *formatter) isDash(s spot) bool {
	if s.line >= len(f.lines) || s.column >= len(f.lines[s.line]) || f.lines[s.line][s.column] != '-' || !f.begins(s) {
		return false
	}
	line := f.lines[s.line]
	return s.column+1 == len(line) || isBlank(line[s.column+1])
}

// begins reports whether nothing but dashes stands before a place in its line.
func (f *formatter) begins(s spot) bool {
	if s.line >= len(f.lines) || s.column > len(f.lines[s.line]) {
		return false
	}
	return strings.Trim(string(f.lines[s.line][:s.column]), " \t-") == ""
}

func (f *formatter) refuse(n *yaml.Node, why string) {
	if f.err == nil {
		f.err = Mistakes{At(Pos{f.name, n.Line, n.Column}, CodeFeature, fmt.Sprintf("the file cannot be formatted: %s", why), "gateway check tells what policies do without")}
	}
}
