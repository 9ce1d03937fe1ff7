package policy

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Render writes the mistakes for a person at a terminal: code and sentence,
// place, source line, caret, help. With color it uses ANSI colours.
func (ms Mistakes) Render(w io.Writer, color bool) error {
	var out bytes.Buffer
	p := paint{color}
	for i, m := range ms {
		if i > 0 {
			out.WriteByte('\n')
		}
		m.render(&out, p)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// List writes the mistakes for a person, one a line, without their source.
func (ms Mistakes) List(w io.Writer) error {
	var out bytes.Buffer
	for _, m := range ms {
		fmt.Fprintf(&out, "%s[%s]: %s: %s\n", m.Severity, m.Code, clean(m.Pos.String()), m.message())
	}
	_, err := w.Write(out.Bytes())
	return err
}

func (m Mistake) render(out *bytes.Buffer, p paint) {
	fmt.Fprintf(out, "%s: %s\n", p.weight(m.Severity, m.Severity.String()+"["+m.Code+"]"), p.bold(clean(m.What)))
	number := strconv.Itoa(m.Pos.Line)
	margin := strings.Repeat(" ", len(number))
	if m.Pos.File != "" {
		fmt.Fprintf(out, "%s%s %s\n", margin, p.blue("┌─"), clean(m.Pos.String()))
	}
	if len(m.Source) > 0 {
		text, column, width := window(m.Source[0], m.Pos.Column, m.Width)
		fmt.Fprintf(out, "%s%s %s\n", p.blue(number), p.blue("│"), text)
		caret := strings.Repeat("^", width)
		if m.Why != "" {
			caret += " " + clean(m.Why)
		}
		fmt.Fprintf(out, "%s%s %s%s\n", margin, p.blue("│"), strings.Repeat(" ", column-1), p.weight(m.Severity, caret))
	} else if m.Why != "" {
		fmt.Fprintf(out, "%s%s\n", margin, clean(m.Why))
	}
	if m.Hint != "" {
		fmt.Fprintf(out, "%s= help: %s\n", margin, clean(m.Hint))
	}
}

// sourceShown is how many characters of a source line are shown; a line may be
// a megabyte long.
const sourceShown = 120

// window cuts a long line around the column and keeps the caret inside it.
func window(line string, column, width int) (text string, col, w int) {
	runes := []rune(line)
	column = min(max(column, 1), len(runes)+1)
	start := 0
	if column > sourceShown*3/4 {
		start = column - sourceShown/2
	}
	end := min(start+sourceShown, len(runes))
	text, col = string(runes[start:end]), column-start
	if start > 0 {
		text, col = "…"+text, col+1
	}
	if end < len(runes) {
		text += "…"
	}
	return text, col, max(1, min(width, end-column+1))
}

// clean keeps control characters of a policy file out of the terminal.
func clean(text string) string { return strings.Map(printable, text) }

// paint adds ANSI colours, or nothing.
type paint struct{ on bool }

// weight is red, yellow or cyan.
func (p paint) weight(s Severity, text string) string {
	switch s {
	case Error:
		return p.with("1;31", text)
	case Warning:
		return p.with("1;33", text)
	default:
		return p.with("1;36", text)
	}
}

func (p paint) bold(s string) string { return p.with("1", s) }
func (p paint) blue(s string) string { return p.with("1;34", s) }

func (p paint) with(code, s string) string {
	if !p.on {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
