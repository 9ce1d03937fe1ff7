package audit

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// Verify reads a whole log and returns what it is, or a *Broken that names the
// first line that is not what was written. head, unless nil, is a head from
// before: the log must still have that line as it was, and all before it.
// Without one, lines cut off at the end cannot be missed, nor can a log that
// somebody wrote anew. It may run beside those who write.
//
// A line is held against the line after it, which names its hash: that tells an
// altered line from one that follows an altered line.
func Verify(dir string, head *Head) (Report, error) {
	v := verifier{head: head}
	var at *item
	for next, err := range lines(dir, &v.report) {
		if err != nil {
			return v.report, err
		}
		if at != nil {
			if b := v.judge(at, &next); b != nil {
				return v.report, b
			}
		}
		at = &next
	}
	if at != nil {
		if b := v.judge(at, nil); b != nil {
			return v.report, b
		}
	}
	if at == nil {
		at = &item{segment: segmentName(1)}
	}
	if end := v.report.Head.Seq; head != nil && head.Seq > end {
		return v.report, at.after("cut: the log ends with number %d, and number %d was there", end, head.Seq)
	}
	if head != nil && head.Seq > 0 && head.Seq < v.report.First {
		return v.report, fmt.Errorf("the log begins with number %d, after the head's number %d: verify it together with its older segments",
			v.report.First, head.Seq)
	}
	return v.report, nil
}

// item is one line as it is found.
type item struct {
	segment  string
	number   int // of the segment
	row      int
	line     line
	hash     string
	unlike   error // why it is no line of ours
	expected uint64
}

func (i *item) broken(format string, args ...any) *Broken {
	return &Broken{Segment: i.segment, Line: i.row, Seq: i.expected, What: fmt.Sprintf(format, args...)}
}

// after is broken about the place after the item.
func (i *item) after(format string, args ...any) *Broken {
	return &Broken{Segment: i.segment, Line: i.row + 1, Seq: i.expected + 1, What: fmt.Sprintf(format, args...)}
}

// lines reads all segments, and counts in report what is no line.
func lines(dir string, report *Report) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		numbers, err := segments(dir)
		if err != nil {
			yield(item{}, err)
			return
		}
		for i, number := range numbers {
			report.Segments++
			unterminated, on := readSegment(dir, number, i == len(numbers)-1, yield)
			report.Unterminated = unterminated
			if !on {
				return
			}
		}
	}
}

func readSegment(dir string, number int, last bool, yield func(item, error) bool) (unterminated int64, on bool) {
	name := segmentName(number)
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return 0, yield(item{}, fmt.Errorf("read the audit log: %w", err))
	}
	defer f.Close()
	reader := newLineReader(f)
	for row := 1; ; row++ {
		text, n, err := readLine(reader)
		found := item{segment: name, number: number, row: row}
		switch {
		case errors.Is(err, io.EOF) && (n == 0 || last):
			return n, true
		case errors.Is(err, io.EOF):
			found.unlike = errors.New("it has no end")
		case err != nil:
			return 0, yield(item{}, fmt.Errorf("read the audit log: %w", err))
		default:
			found.hash = hash(text)
			found.line, found.unlike = parseLine(text)
		}
		if !yield(found, nil) {
			return 0, false
		}
	}
}

// verifier is at one line and knows the two before it.
type verifier struct {
	head         *Head
	report       Report
	before, last *item // before is the one before last
}

// judge says what is wrong up to the line at; next is the one after it or nil.
func (v *verifier) judge(at, next *item) *Broken {
	at.expected = at.line.Seq
	if v.last != nil {
		at.expected = v.last.expected + 1
	} else if at.number == 1 {
		at.expected = 1
	}
	if at.unlike != nil {
		return at.broken("altered: %v", at.unlike)
	}
	if b := v.chained(at, next); b != nil {
		return b
	}
	if v.head != nil && at.line.Seq == v.head.Seq && at.hash != v.head.Hash {
		return at.broken("altered: this line or one before it is not what the head was made of")
	}
	if v.last == nil {
		v.report.First, v.report.FirstSegment, v.report.Since = at.line.Seq, at.segment, at.line.at
	}
	v.report.Head = Head{Seq: at.line.Seq, Hash: at.hash, Time: at.line.at}
	v.before, v.last = v.last, at
	return nil
}

// chained holds a line against the one before it.
func (v *verifier) chained(at, next *item) *Broken {
	prev := noLine
	switch {
	case v.last != nil:
		prev = v.last.hash
	case at.number > 1: // what it follows was moved away
		prev = at.line.Prev
	}
	numbered, linked := at.line.Seq == at.expected, at.line.Prev == prev
	switch {
	case numbered && linked:
		return nil
	case linked:
		return at.broken("altered: it has the number %d", at.line.Seq)
	case numbered && (v.last == nil || v.asWritten(at, next) == no):
		return at.broken("altered: it does not name the line before it, nor does the next one name it")
	case numbered:
		return v.last.broken("altered: the next line names another one")
	}
	return v.outOfOrder(at, next)
}

// outOfOrder is about a line that neither has the number nor follows the line
// before it.
func (v *verifier) outOfOrder(at, next *item) *Broken {
	seq := at.line.Seq
	switch {
	case v.last == nil && v.asWritten(at, next) == no:
		return at.broken("altered: it has the number %d", seq)
	case v.last == nil:
		return at.broken("removed: the log begins with number %d and no older segment is missing", seq)
	case at.hash == v.last.hash:
		return at.broken("inserted: it repeats the line before it")
	case v.before != nil && seq == v.last.line.Seq && at.line.Prev == v.before.hash:
		return v.last.broken("inserted: the next line has its number and follows the line before it")
	case seq < at.expected && next != nil && next.unlike == nil && next.line.Seq == at.expected+1:
		return at.broken("altered: in its place stands number %d", seq)
	case seq < at.expected:
		return at.broken("inserted: it has the number %d", seq)
	case next != nil && next.unlike == nil && next.line.Seq <= seq:
		return at.broken("reordered: it has the number %d", seq)
	case at.number > v.last.number+1:
		return at.broken("removed: numbers %d to %d are missing, with the segment %s", at.expected, seq-1, segmentName(v.last.number+1))
	}
	return at.broken("removed: numbers %d to %d are missing", at.expected, seq-1)
}

// Whether a line is what was written, as far as others tell.
const (
	unknown = iota
	yes
	no
)

// asWritten asks the head, if it is of this line, or the line after it.
func (v *verifier) asWritten(at, next *item) int {
	var named string
	switch {
	case v.head != nil && v.head.Seq == at.line.Seq:
		named = v.head.Hash
	case next != nil && next.unlike == nil:
		named = next.line.Prev
	default:
		return unknown
	}
	if named == at.hash {
		return yes
	}
	return no
}
