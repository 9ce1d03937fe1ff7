package policy

import (
	"fmt"
	"io"
	"strings"
)

// GitHub writes the report as workflow commands, from which GitHub makes
// annotations beside the lines of a pull request.
func (r Report) GitHub(w io.Writer) error {
	var out strings.Builder
	for _, m := range r.Mistakes {
		command := m.Severity.String()
		if m.Severity == Note {
			command = "notice"
		}
		properties := []string{"title=" + AnnotationProperty(m.Code+": "+r.explained(m.Code).Title)}
		if m.Pos.Line > 0 {
			properties = append([]string{
				fmt.Sprintf("line=%d", m.Pos.Line), fmt.Sprintf("endLine=%d", m.Pos.Line),
				fmt.Sprintf("col=%d", m.Pos.Column), fmt.Sprintf("endColumn=%d", m.Pos.Column+max(1, m.Width)),
			}, properties...)
		}
		if m.Pos.File != "" {
			properties = append([]string{"file=" + AnnotationProperty(m.Pos.File)}, properties...)
		}
		text := m.message()
		if m.Hint != "" {
			text += "\n" + clean(m.Hint)
		}
		fmt.Fprintf(&out, "::%s %s::%s\n", command, strings.Join(properties, ","), AnnotationText(text))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// AnnotationText escapes the message of a workflow command. A line break would
// end the command and let a policy, which whoever opens a pull request writes,
// begin one of its own.
func AnnotationText(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// AnnotationProperty escapes a property of a workflow command, which also ends at
// a colon and at a comma.
func AnnotationProperty(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(AnnotationText(clean(text)))
}
