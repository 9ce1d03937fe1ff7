package policy

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Format gives a policy file its usual form: two spaces an indentation, dashes
// below the key they belong to, no trailing spaces, no two blank lines in a row,
// one space after the commas and colons of {} and []. Comments, blank lines,
// quotes, line breaks and the order of keys stay as they are: only white space
// changes, and only where it says nothing.
//
// The error is Mistakes: a file that is not YAML, or cannot be formatted without
// changing what it says, has no form to be given.
func Format(name string, data []byte) ([]byte, error) {
	wrong := func(what, hint string) ([]byte, error) {
		return nil, Mistakes{At(Pos{File: name}, CodeFile, what, hint)}
	}
	switch {
	case len(data) > FileBytes:
		return wrong("the file is too large to be formatted", "")
	case !utf8.Valid(data):
		return wrong("the file is not UTF-8 text", "")
	}
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
	if strings.ContainsAny(text, "\r\u0085\u2028\u2029") {
		return wrong("the file holds a character that only some programs read as a line break", "end lines with a line feed, and write \\n in a quoted text for a break within it")
	}
	root, err := nodes(name, text)
	if err != nil {
		return nil, err
	}
	f := newFormatter(name, text)
	if err := f.mark(root); err != nil {
		return nil, err
	}
	out := f.format()
	if again, err := nodes(name, out); err != nil || !same(root, again) || ink(text) != ink(out) {
		return wrong("the file cannot be formatted without changing what it says", "write what goes over several lines more plainly: one entry a line, texts in quotes on one line")
	}
	return []byte(out), nil
}

// nodes parses a file of one document; nil for a file of comments alone.
func nodes(name, text string) (*yaml.Node, error) {
	d := &decoder{doc: &Document{sources: map[string]*source{name: {lines: lines([]byte(text)), widths: map[Pos]int{}}}}, file: name}
	loader, err := yaml.NewLoader(strings.NewReader(text), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(depthMost))))
	if err != nil {
		return nil, err
	}
	var root, second yaml.Node
	if err := loader.Load(&root); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		d.syntax(err)
		return nil, d.mistakes.tidy()
	}
	switch err := loader.Load(&second); {
	case err == nil:
		d.reportf(&second, CodeFeature, "one file, one document: split the file", "a second document begins here")
	case !errors.Is(err, io.EOF):
		d.syntax(err)
	}
	return &root, d.mistakes.tidy()
}

// same reports whether two trees say the same in the same style.
func same(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.Style == b.Style && a.Tag == b.Tag && a.Value == b.Value && a.Anchor == b.Anchor && slices.EqualFunc(a.Content, b.Content, same)
}

// ink is a text without its white space. That it stays the same keeps every
// comment.
func ink(text string) string {
	return strings.Map(func(r rune) rune {
		if isBlank(r) {
			return -1
		}
		return r
	}, text)
}

// Files lists the policy files below the root of fsys, as Load takes them.
func Files(fsys fs.FS) ([]string, error) {
	d := &decoder{doc: &Document{sources: map[string]*source{}}}
	names := d.files(fsys)
	return names, d.mistakes.tidy()
}

// Reformatted is a line that Format changes. One that it takes out has no New.
type Reformatted struct {
	Line     int // in the file as it was
	Old, New string
	Removed  bool
}

// Changes are the lines in which a file and what Format made of it differ. Lines
// are neither joined nor split nor moved, so that those that are not blank
// correspond one to one.
func Changes(was, is []byte) []Reformatted {
	old, now := bytes.Split(was, []byte("\n")), bytes.Split(bytes.TrimSuffix(is, []byte("\n")), []byte("\n"))
	if n := len(old) - 1; n > 0 && len(old[n]) == 0 {
		old = old[:n]
	}
	var all []Reformatted
	j := 0
	for i, line := range old {
		next := ""
		if j < len(now) {
			next = string(now[j])
		}
		blank := len(bytes.TrimSpace(line)) == 0
		if j == len(now) || blank && strings.TrimSpace(next) != "" {
			all = append(all, Reformatted{Line: i + 1, Old: string(line), Removed: true})
			continue
		}
		if string(line) != next {
			all = append(all, Reformatted{Line: i + 1, Old: string(line), New: next})
		}
		j++
	}
	if len(was) > 0 && was[len(was)-1] != '\n' && len(all) == 0 {
		last := string(old[len(old)-1])
		all = append(all, Reformatted{Line: len(old), Old: last, New: last})
	}
	return all
}
