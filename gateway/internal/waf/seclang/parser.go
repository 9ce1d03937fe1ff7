package seclang

import (
	"bufio"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

const (
	// mostIncludes is the engine's own bound; a file that includes itself ends
	// there.
	mostIncludes = 100
	// longestLine is where the engine's reader stops, without a word, and
	// ignores the rest of the file.
	longestLine = bufio.MaxScanTokenSize - 1
)

// Parse reads a text. Files it includes are taken from root, beside the file
// that includes them. The error tells the place of the first thing that is not
// understood.
func Parse(root fs.FS, text string) (*Policy, error) {
	p := &parser{root: root, policy: &Policy{}, defaults: map[int][]Action{}}
	if err := p.read(text); err != nil {
		return nil, err
	}
	if p.open != nil {
		return nil, p.open.wrong("the chain ends without its last rule")
	}
	return p.policy, nil
}

type parser struct {
	root     fs.FS
	policy   *Policy
	place    Place
	folder   string
	included int
	// defaults holds the actions of SecDefaultAction by phase.
	defaults map[int][]Action
	// open is the link that waits for the next one.
	open *Rule
	// rulesOnly keeps directives that are no rules from being carried out.
	rulesOnly bool
}

// read takes a text line by line; a line that ends in a backslash goes on in
// the next.
func (p *parser) read(text string) error {
	var joined strings.Builder
	first, quoted := 0, false
	number := 0
	for line := range strings.Lines(text) {
		number++
		if len(line) > longestLine {
			return Place{p.place.File, number}.wrong("a line of %d bytes; the engine ignores what comes from here on", len(line))
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if first == 0 {
			first = number
		}
		// A data set stands between backticks, the second alone in its line.
		if !quoted && strings.HasSuffix(line, "`") {
			quoted = true
		} else if quoted && line[0] == '`' {
			quoted = false
		}
		if quoted {
			joined.WriteString(line + "\n")
			continue
		}
		if part, more := strings.CutSuffix(line, `\`); more {
			joined.WriteString(part)
			continue
		}
		joined.WriteString(line)
		p.place.Line = first
		if err := p.directive(joined.String()); err != nil {
			return err
		}
		joined.Reset()
		first = 0
	}
	if joined.Len() > 0 {
		return Place{p.place.File, first}.wrong("the directive does not end; the engine ignores it")
	}
	return nil
}

func (p *parser) directive(text string) error {
	name, value, _ := strings.Cut(text, " ")
	if len(value) >= 3 && value[0] == '"' && value[len(value)-1] == '"' {
		value = strings.Trim(value, `"`)
	}
	setting := Setting{Place: p.place, Name: strings.ToLower(name), Value: value}
	var err error
	if p.rulesOnly && setting.Name != "secrule" && setting.Name != "secaction" && setting.Name != "secmarker" {
		p.policy.Settings = append(p.policy.Settings, setting)
		return nil
	}
	switch setting.Name {
	case "include":
		return p.include(value)
	case "secrule":
		err = p.rule(value)
	case "secaction":
		err = p.action(value)
	case "secmarker":
		err = p.marker(value)
	case "secdefaultaction":
		err = p.defaultAction(value)
	case "secruleremovebyid", "secruleremovebytag", "secruleremovebymsg", "secruleupdatetargetbyid", "secruleupdatetargetbytag":
		err = p.change(setting.Name, value)
	default:
		p.policy.Settings = append(p.policy.Settings, setting)
	}
	if err != nil {
		return setting.Place.wrong("%w", err)
	}
	return nil
}

// include reads files as the engine does: what a pattern finds is named from
// the root, a single name from the folder of the file that includes it.
func (p *parser) include(name string) error {
	if p.included++; p.included > mostIncludes {
		return fmt.Errorf("%v: more than %d files are included", p.place, mostIncludes)
	}
	files := []string{path.Join(p.folder, strings.TrimSpace(name))}
	if strings.HasPrefix(name, "/") {
		files[0] = strings.TrimSpace(name)
	}
	if strings.Contains(name, "*") {
		var err error
		if files, err = fs.Glob(p.root, name); err != nil {
			return fmt.Errorf("%v: including %q: %w", p.place, name, err)
		}
	}
	place, folder := p.place, p.folder
	for _, file := range files {
		text, err := fs.ReadFile(p.root, file)
		if err != nil {
			return fmt.Errorf("%v: including %q: %w", place, name, err)
		}
		p.place, p.folder = Place{File: file}, path.Dir(file)
		if err := p.read(string(text)); err != nil {
			return err
		}
		p.place, p.folder = place, folder
	}
	return nil
}
