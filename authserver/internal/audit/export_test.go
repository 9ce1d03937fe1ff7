package audit

import "context"

// MaxLine is what a line has at most.
const MaxLine = maxLine

// ParseLine reads a line and writes it again.
func ParseLine(text []byte) (again []byte, err error) {
	l, err := parseLine(text)
	if err != nil {
		return nil, err
	}
	return appendLine(nil, l.Seq, l.Prev, l.Time, l.appendFacts(nil)), nil
}

// Line is a record as the first line.
func Line(r Record) []byte {
	return appendLine(nil, 1, noLine, "2026-11-25T12:00:00.000000Z", r.appendFacts(nil))
}

// Plain is a line for people.
var Plain = plain

// Seal is a record as the line that follows another one.
func Seal(seq uint64, after string, r Record) string {
	return string(appendLine(nil, seq, hash([]byte(after)), "2026-11-25T12:00:00.000000Z", r.appendFacts(nil)))
}

// AppendAndStay is Append for one who does not see that his context has ended.
func (l *Log) AppendAndStay(ctx context.Context, r Record) error {
	e := &entry{ctx: ctx, facts: r.appendFacts(nil), done: make(chan error, 1)}
	l.queue <- e
	return <-e.done
}
