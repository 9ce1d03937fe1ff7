package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Bounds on what is read: far above any real policy, far below what would hurt.
const (
	filesMost = 500
	// FileBytes is the most bytes that one policy file may have.
	FileBytes = 1 << 20
	depthMost = 32 // the deepest policy there is has eight levels
)

// Load reads all policy files below the root of fsys into one document, and the
// files that they name. Hidden files and folders are skipped. env answers what
// ${env:NAME} stands for.
//
// It is strict: a key nobody knows, a key that stands twice, a value without
// its unit is a mistake. The error holds all Mistakes of all files; the
// document is nil then. Load looks at each value alone; Validate reports whether
// they fit together.
func Load(fsys fs.FS, env func(string) (string, bool)) (*Document, error) {
	doc, err := load(fsys, env)
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// Check loads and validates, and returns the mistakes of both together. What
// only follows from a part that could not be read is not reported.
func Check(fsys fs.FS, env func(string) (string, bool)) (*Document, error) {
	doc, err := load(fsys, env)
	if err := Join(err, Validate(doc)); err != nil {
		return nil, err
	}
	return doc, nil
}

func load(fsys fs.FS, env func(string) (string, bool)) (*Document, error) {
	d := &decoder{
		doc:  &Document{sources: map[string]*source{}, files: map[string][]byte{}, written: map[Pos]string{}},
		env:  env,
		once: map[string]Pos{},
	}
	sum, tests := sha256.New(), sha256.New()
	for _, name := range d.files(fsys) {
		data, err := read(fsys, name)
		if err != nil {
			d.report(Pos{File: name}, CodeFile, err.Error(), "", "")
			continue
		}
		if testsAlone := d.parse(name, data); testsAlone {
			add(tests, name, data)
		} else {
			add(sum, name, data)
		}
	}
	d.patches(fsys)
	for _, name := range d.bodies(fsys) {
		add(sum, name, d.doc.files[name])
	}
	d.doc.TestVersion = hex.EncodeToString(tests.Sum(nil))
	d.doc.Version = hex.EncodeToString(sum.Sum(nil))
	return d.doc, d.mistakes.tidy()
}

// add counts a file. Lengths keep two different sets of files from hashing
// alike.
func add(sum hash.Hash, name string, data []byte) {
	fmt.Fprintf(sum, "%d %s %d\n", len(name), name, len(data))
	sum.Write(data)
}

// files lists the policy files, in the order of their names.
func (d *decoder) files(fsys fs.FS) []string {
	var names []string
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			if failed, ok := errors.AsType[*fs.PathError](err); ok {
				err = failed.Err // its path is seen from the root, which would be named "."
			}
			d.report(Pos{File: name}, CodeFile, fmt.Sprintf("the folder cannot be read: %v", err), "", "is this the right folder?")
			return nil
		}
		hidden := name != "." && strings.HasPrefix(entry.Name(), ".")
		switch {
		case entry.IsDir() && hidden:
			return fs.SkipDir
		case entry.IsDir() || hidden:
			return nil
		case entry.Type()&fs.ModeSymlink != 0 && d.isFolder(fsys, name):
			// Skipping it in silence would drop the deny rules in it.
			d.report(Pos{File: name}, CodeFile, "a link to a folder is not followed", "", "make it a folder, or link the files in it")
			return nil
		case !isPolicy(name):
			return nil
		case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
			// A line break would begin a line of its own in every log that names the file.
			d.report(Pos{File: name}, CodeFile, "the name of the file holds a line break or another character that cannot be seen", "", "rename the file, or its folder")
			return nil
		case len(names) == filesMost:
			d.report(Pos{File: name}, CodeFile, fmt.Sprintf("there are more than %d policy files", filesMost), "", "is this the right folder?")
			return fs.SkipAll
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		d.report(Pos{File: "."}, CodeFile, fmt.Sprintf("the folder cannot be read: %v", err), "", "")
	}
	return names
}

func (d *decoder) isFolder(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && info.IsDir()
}

func isPolicy(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml":
		return true
	}
	return false
}

func read(fsys fs.FS, name string) ([]byte, error) {
	// Before it is opened: opening a pipe waits for a writer.
	if info, err := fs.Stat(fsys, name); err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("this is not a regular file")
	}
	file, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the file cannot be opened: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, FileBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	case len(data) > FileBytes:
		return nil, fmt.Errorf("the file is larger than %d bytes", FileBytes)
	case !utf8.Valid(data):
		return nil, errors.New("the file is not UTF-8 text")
	}
	return data, nil
}

// parse reads one file's YAML into the document. It reports whether the file holds
// tests alone: those change nothing that is served, and no version.
func (d *decoder) parse(name string, data []byte) (testsAlone bool) {
	d.file = name
	d.doc.sources[name] = &source{lines: lines(data), widths: map[Pos]int{}}
	loader, err := yaml.NewLoader(strings.NewReader(string(data)),
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(depthMost))))
	if err != nil {
		d.report(Pos{File: name}, CodeSyntax, err.Error(), "", "")
		return false
	}
	var root, second yaml.Node
	if err := loader.Load(&root); errors.Is(err, io.EOF) {
		d.report(Pos{File: name}, CodeMissing, "the file is empty", "", "write version: "+strconv.Itoa(version)+" and what it is for, or delete the file")
		return false
	} else if err != nil {
		d.syntax(err)
		return false
	}
	switch err := loader.Load(&second); {
	case err == nil:
		d.reportf(&second, CodeFeature, "one file, one document: split the file", "a second document begins here")
	case !errors.Is(err, io.EOF):
		d.syntax(err)
	}
	if len(root.Content) != 1 {
		return false
	}
	d.document(root.Content[0])
	return holdsTestsAlone(root.Content[0])
}

func holdsTestsAlone(n *yaml.Node) bool {
	tests := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch n.Content[i].Value {
		case "tests":
			tests = true
		case "version":
		default:
			return false
		}
	}
	return tests
}

// syntax reports what the YAML parser refused.
func (d *decoder) syntax(err error) {
	at, what, why, hint := Pos{File: d.file}, "not valid YAML: "+err.Error(), "", ""
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		what, hint = "not valid YAML: "+e.Message, likely(e.Message)
		at.Line, at.Column = e.Mark.Line, e.Mark.Column
		if at.Line == 0 {
			at.Column = 0
		}
		if e.ContextMark.Line > 0 && e.ContextMark.Line < at.Line {
			why = fmt.Sprintf("%s that begins on line %d", e.ContextMsg, e.ContextMark.Line)
		}
	}
	d.report(at, CodeSyntax, what, why, hint)
}

// likely is what most often leads to what the YAML parser says.
func likely(message string) string {
	switch {
	case strings.Contains(message, "tab character"):
		return "indent with spaces"
	case strings.Contains(message, "cannot start any token"):
		return "indent with spaces, not tabs, and put quotes around a text that begins with @, % or `"
	case strings.Contains(message, "'-' indicator"), strings.Contains(message, "expected key"):
		return "keys that belong together begin in the same column, and so do the dashes of a list"
	case strings.Contains(message, "',' or"):
		return "a quote, bracket or brace is missing, here or before"
	case strings.Contains(message, "mapping values are not allowed"):
		return "put quotes around a text that holds a colon and a space, or look at the indentation"
	default:
		return ""
	}
}
