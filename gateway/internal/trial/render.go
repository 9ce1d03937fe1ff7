package trial

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"

	"portcullis/gateway/internal/pipeline"
)

// Render writes a decision for a person: what became of the request in one
// line, then the tree of what was asked. With color it uses ANSI colours.
func Render(w io.Writer, e pipeline.Explained, color bool) error {
	var out bytes.Buffer
	p := paint{color}
	out.WriteString(p.bold(Headline(e)) + "\n")
	p.reasons(&out, e.Tree, "  ", true)
	for _, s := range e.Shadows {
		line := fmt.Sprintf("in shadow: %s %s would have decided %s", s.Stage, s.Rule, s.Would)
		if s.Place != "" {
			line += " (" + s.Place + ")"
		}
		out.WriteString("  " + p.blue(clean(line)) + "\n")
	}
	_, err := w.Write(out.Bytes())
	return err
}

// Headline is a decision in one line:
//
//	403 deny at authorize: route list-own-reservations, rule allow[0]: ✗ subject is the guest of the path: subject "g-7", guest "g-9" (routes/reservations.yaml:31)
func Headline(e pipeline.Explained) string {
	text := fmt.Sprintf("%d %s", e.Status, e.Decision)
	if e.Stage != "" {
		text += " at " + e.Stage
	} else if e.Code != "" {
		text += " at the edge"
	}
	var parts []string
	if e.Route != "" {
		parts = append(parts, "route "+e.Route)
	}
	switch {
	case e.Code == "":
		if e.Rule != "" {
			parts = append(parts, "rule "+e.Rule)
		}
	case e.Stage == "" || e.Stage == pipeline.StageForward:
		parts = append(parts, e.Code+": "+e.Cause)
	default:
		parts = append(parts, refusal(e))
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return clean(text)
}

// refusal is what refused, down to the condition that did not hold.
func refusal(e pipeline.Explained) string {
	for i := range e.Tree {
		if stage := &e.Tree[i]; stage.Text == e.Stage && (stage.State == pipeline.Fails || stage.State == pipeline.Broken) {
			text := because(stage, "")
			if e.Stage == stageAuthorize && len(stage.Under) > 0 {
				text = "rule " + text
			}
			return text
		}
	}
	return strings.TrimSpace(e.Code + " " + e.Rule)
}

// because follows what failed below a reason, and ends with the last place it
// met.
func because(r *pipeline.Reason, place string) string {
	next := failing(r.Under)
	if next == nil {
		text := r.Value
		if met := conditions(r.Under); met != "" {
			text = met // a deny rule refuses by what holds
		}
		if place != "" {
			text = strings.TrimSpace(text + " (" + place + ")")
		}
		return text
	}
	if next.Place != "" {
		place = next.Place
	}
	text := next.Text
	if failing(next.Under) == nil && conditions(next.Under) == "" {
		text = paint{}.mark(next.State) + " " + text // or it would read as if it held
	}
	return text + ": " + because(next, place)
}

// conditions are those of a rule that all hold.
func conditions(reasons []pipeline.Reason) string {
	var texts []string
	for _, r := range reasons {
		if r.State == pipeline.Holds {
			texts = append(texts, r.Text)
		}
	}
	return strings.Join(texts, " and ")
}

// failing is the first reason that refused, among those that were enforced.
func failing(reasons []pipeline.Reason) *pipeline.Reason {
	for i := range reasons {
		if r := &reasons[i]; !r.Shadow && (r.State == pipeline.Fails || r.State == pipeline.Broken) {
			return r
		}
	}
	return nil
}

// reasons writes a tree, each level further in. What a condition lacks is told
// only where that kept the request from passing.
func (p paint) reasons(out *bytes.Buffer, reasons []pipeline.Reason, indent string, mends bool) {
	for _, r := range reasons {
		line := p.mark(r.State) + " " + clean(r.Text)
		if r.Shadow {
			line += " " + p.blue("[shadow]")
		}
		if r.Value != "" {
			line += ": " + clean(r.Value)
		}
		if r.Place != "" {
			line += p.dim(" (" + clean(r.Place) + ")")
		}
		out.WriteString(indent + line + "\n")
		refused := mends && r.State != pipeline.Holds
		if refused && r.Mend != "" && failing(r.Under) == nil {
			out.WriteString(indent + "    would pass if: " + clean(r.Mend) + "\n")
		}
		p.reasons(out, r.Under, indent+"  ", refused)
	}
}

// mark is how a state is drawn.
func (p paint) mark(s pipeline.State) string {
	switch s {
	case pipeline.Holds:
		return p.green("✓")
	case pipeline.Fails:
		return p.red("✗")
	case pipeline.Broken:
		return p.red("!")
	default:
		return p.dim("·")
	}
}

// clean keeps what callers sent from moving a terminal's cursor.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case unicode.IsPrint(r):
			return r
		default:
			return unicode.ReplacementChar
		}
	}, text)
}

// paint adds ANSI colours, or nothing.
type paint struct{ on bool }

func (p paint) red(s string) string   { return p.with("1;31", s) }
func (p paint) green(s string) string { return p.with("32", s) }
func (p paint) bold(s string) string  { return p.with("1", s) }
func (p paint) blue(s string) string  { return p.with("34", s) }
func (p paint) dim(s string) string   { return p.with("2", s) }

func (p paint) with(code, s string) string {
	if !p.on {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
