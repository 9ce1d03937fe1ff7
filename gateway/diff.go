package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"portcullis/gateway/internal/diff"
	"portcullis/policies/policy"
)

func diffCommand(stdout, stderr io.Writer) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Tell what an edit of policies opens and closes",
		Long: "Diff compares two folders of policy files and tells in words what becomes of requests: first what is open\n" +
			"that was not, then what cannot be proved not to widen, what narrows, and what changes otherwise. OLD may\n" +
			"also be git:REF, which is the folder NEW as it was at that revision.\n\n" +
			"It exits 1 when access widens or cannot be proved not to, and 2 when a side has mistakes, so that it can\n" +
			"guard pull requests: gateway diff git:origin/main policies",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("diff takes two folders of policy files, as in: gateway diff git:main policies")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			write, known := diffFormats()[format]
			if !known {
				return fmt.Errorf("--output %q is not text, json or github", format)
			}
			was, before, err := openOld(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			is, err := openFolder(args[1])
			if err != nil {
				return err
			}
			old, oldErr := loadSide(stderr, was, before)
			now, newErr := loadSide(stderr, is, args[1])
			if err := errors.Join(oldErr, newErr); err != nil {
				return err
			}
			report := diff.Compare(old, now)
			if err := write(stdout, report, before, args[1]); err != nil {
				return err
			}
			if report.Widens() {
				return errReported
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "how to write the report: text, json or github (annotations)")
	return cmd
}

func openFolder(dir string) (fs.FS, error) {
	if err := isFolder("diff", dir); err != nil {
		return nil, err
	}
	return os.DirFS(dir), nil
}

// loadSide reads one of the two folders. A side with mistakes says nothing
// about what it opens, so that the comparison could not be made.
func loadSide(stderr io.Writer, files fs.FS, dir string) (*policy.Document, error) {
	doc, err := policy.Check(files, os.LookupEnv)
	if err == nil {
		return doc, nil
	}
	if mistakes, ok := errors.AsType[policy.Mistakes](err); ok {
		show(stderr, mistakes, dir)
		return nil, fmt.Errorf("the policies in %q have mistakes and cannot be compared", dir)
	}
	return nil, err
}

type diffWriter func(w io.Writer, r diff.Report, old, new string) error

func diffFormats() map[string]diffWriter {
	return map[string]diffWriter{"text": diffText, "json": diffJSON, "github": diffGitHub}
}

// placeOf is where a finding is, as seen from here.
func placeOf(f diff.Finding, old, new string) string {
	if f.Pos.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", fileOf(f, old, new), f.Pos.Line)
}

func fileOf(f diff.Finding, old, new string) string {
	if !f.Removed {
		return filepath.Join(new, f.Pos.File)
	}
	if strings.HasPrefix(old, gitPrefix) {
		return old + ":" + f.Pos.File
	}
	return filepath.Join(old, f.Pos.File)
}

func diffText(w io.Writer, r diff.Report, old, new string) error {
	var b strings.Builder
	for _, kind := range diff.Kinds() {
		found := r.Of(kind)
		if len(found) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s:\n", kind)
		for _, f := range found {
			place := placeOf(f, old, new)
			if place != "" {
				place += ": "
			}
			fmt.Fprintf(&b, "  %s%s\n", place, f.Text())
		}
		b.WriteByte('\n')
	}
	fmt.Fprintln(&b, r.Verdict())
	_, err := io.WriteString(w, b.String())
	return err
}

// change is a finding in JSON.
type change struct {
	Text    string   `json:"text"`
	On      []string `json:"on,omitempty"`
	File    string   `json:"file,omitempty"`
	Line    int      `json:"line,omitempty"`
	Removed bool     `json:"removed,omitempty"`
}

func diffJSON(w io.Writer, r diff.Report, old, new string) error {
	of := func(k diff.Kind) []change {
		changes := []change{}
		for _, f := range r.Of(k) {
			c := change{Text: f.Text(), On: f.On, Line: f.Pos.Line, Removed: f.Removed}
			if f.Pos.File != "" {
				c.File = fileOf(f, old, new)
			}
			changes = append(changes, c)
		}
		return changes
	}
	return printJSON(w, struct {
		Widens   []change `json:"widens"`
		Unproved []change `json:"unproved"`
		Narrows  []change `json:"narrows"`
		Changes  []change `json:"changes"`
		Verdict  string   `json:"verdict"`
		OK       bool     `json:"ok"`
	}{of(diff.Widens), of(diff.Unproved), of(diff.Narrows), of(diff.Changes), r.Verdict(), !r.Widens()})
}

// diffGitHub writes annotations for pull requests: an error for what fails the
// gate, a notice for the rest. What was removed has no line to stand at.
func diffGitHub(w io.Writer, r diff.Report, old, new string) error {
	var b strings.Builder
	for _, f := range r.Findings {
		level := "notice"
		if f.Kind == diff.Widens || f.Kind == diff.Unproved {
			level = "error"
		}
		where := ""
		text := f.Text()
		switch {
		case f.Removed:
			text += " (was at " + placeOf(f, old, new) + ")"
		case f.Pos.File != "":
			where = fmt.Sprintf("file=%s,line=%d,", policy.AnnotationProperty(fileOf(f, old, new)), f.Pos.Line)
		}
		fmt.Fprintf(&b, "::%s %stitle=%s::%s\n", level, where, policy.AnnotationProperty(f.Kind.String()), policy.AnnotationText(text))
	}
	fmt.Fprintln(&b, policy.AnnotationText(r.Verdict()))
	_, err := io.WriteString(w, b.String())
	return err
}
