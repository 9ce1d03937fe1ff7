package policy

import (
	"encoding/json"
	"io"
)

// Report is what was found in policies, for machines. The files of its mistakes
// are named as seen from the folder in which the machine looks for them, with
// slashes.
//
// Nothing of a file is in a report but what its mistakes say: lines of source
// may hold what only those who may read the file should see.
type Report struct {
	// Tool is the version of the program that found them.
	Tool     string
	Mistakes Mistakes
	// Explanations are those of the codes, as far as there are any.
	Explanations []Explanation
}

// explained is the explanation of a code, or one that says nothing.
func (r Report) explained(code string) Explanation {
	for _, e := range r.Explanations {
		if e.Code == code {
			return e
		}
	}
	return Explanation{Code: code, Title: code}
}

// message is what stands in the sentence of a mistake and beside its caret.
func (m Mistake) message() string {
	text := m.What
	if m.Why != "" {
		text += ": " + m.Why
	}
	return clean(text)
}

// encode writes JSON as people read it.
func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
