package policy

import "io"

// JSONReport is the form of a report in JSON. Keys are added to it and never
// renamed or removed; Version changes when one has to be.
type JSONReport struct {
	Version  int `json:"version"` // 1
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Notes    int `json:"notes"`
	// Mistakes are what is wrong and then what is worth knowing, each in the order
	// of files and lines; an empty list when nothing was found.
	Mistakes []JSONMistake `json:"mistakes"`
}

// JSONMistake is one mistake, warning or note. File is absent when it concerns no
// file, Line, Column and EndColumn when it concerns a whole one. Lines and
// columns count from 1, columns in characters; EndColumn is the one after the
// last. Why and Hint may be absent.
type JSONMistake struct {
	Severity  Severity `json:"severity"` // error, warning or note
	Code      string   `json:"code"`
	Title     string   `json:"title"` // of the code
	File      string   `json:"file,omitempty"`
	Line      int      `json:"line,omitempty"`
	Column    int      `json:"column,omitempty"`
	EndColumn int      `json:"end_column,omitempty"`
	What      string   `json:"what"`
	Why       string   `json:"why,omitempty"`
	Hint      string   `json:"hint,omitempty"`
}

// JSON writes the report as a JSONReport.
func (r Report) JSON(w io.Writer) error {
	out := JSONReport{
		Version:  1,
		Errors:   len(r.Mistakes.Of(Error)),
		Warnings: len(r.Mistakes.Of(Warning)),
		Notes:    len(r.Mistakes.Of(Note)),
		Mistakes: []JSONMistake{},
	}
	for _, m := range r.Mistakes {
		j := JSONMistake{
			Severity: m.Severity, Code: m.Code, Title: r.explained(m.Code).Title, File: clean(m.Pos.File),
			What: clean(m.What), Why: clean(m.Why), Hint: clean(m.Hint),
		}
		if m.Pos.Line > 0 {
			j.Line, j.Column, j.EndColumn = m.Pos.Line, m.Pos.Column, m.Pos.Column+max(1, m.Width)
		}
		out.Mistakes = append(out.Mistakes, j)
	}
	return encode(w, out)
}
