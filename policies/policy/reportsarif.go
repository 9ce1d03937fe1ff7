package policy

import (
	"io"
	"net/url"
	"slices"
)

// What SARIF 2.1.0 (OASIS, errata 01) asks for, as far as code scanners and
// editors use it.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
		Full  sarifText `json:"fullDescription"`
		Help  sarifText `json:"help"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     Severity        `json:"level"` // SARIF calls them as we do
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPlace `json:"physicalLocation"`
	}
	sarifPlace struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndColumn   int `json:"endColumn"`
	}
)

// SARIF writes the report in the Static Analysis Results Interchange Format,
// version 2.1.0.
func (r Report) SARIF(w io.Writer) error {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "portcullis", Version: r.Tool, Rules: []sarifRule{}}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	codes := r.Mistakes.Codes()
	for _, code := range codes {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, r.rule(code))
	}
	for _, m := range r.Mistakes {
		text := m.message()
		if m.Hint != "" {
			text += "\n" + clean(m.Hint)
		}
		result := sarifResult{RuleID: m.Code, RuleIndex: slices.Index(codes, m.Code), Level: m.Severity, Message: sarifText{Text: text}}
		if m.Pos.File != "" {
			result.Locations = []sarifLocation{{m.physical()}}
		}
		run.Results = append(run.Results, result)
	}
	return encode(w, sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
}

func (m Mistake) physical() sarifPlace {
	place := sarifPlace{Artifact: sarifArtifact{(&url.URL{Path: clean(m.Pos.File)}).String()}}
	if m.Pos.Line > 0 {
		place.Region = &sarifRegion{m.Pos.Line, m.Pos.Column, m.Pos.Column + max(1, m.Width)}
	}
	return place
}

func (r Report) rule(code string) sarifRule {
	e := r.explained(code)
	help := sarifText{Text: e.Mend, Markdown: e.Mend}
	if e.Wrong != "" {
		help.Text += "\n\nWrong:\n\n" + e.Wrong + "\nRight:\n\n" + e.Right
		help.Markdown += "\n\nWrong:\n\n```yaml\n" + e.Wrong + "```\n\nRight:\n\n```yaml\n" + e.Right + "```\n"
	}
	if e.Mend == "" {
		help = sarifText{Text: e.Title}
	}
	rule := sarifRule{ID: code, Short: sarifText{Text: e.Title}, Full: sarifText{Text: e.Why}, Help: help}
	if e.Why == "" {
		rule.Full = rule.Short
	}
	return rule
}
