package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pollEvery is how often a followed log is looked at.
const pollEvery = 200 * time.Millisecond

// View is what Tail shows.
type View struct {
	Dir    string
	Lines  int  // how many of the last lines
	Follow bool // go on with those that come, until ctx ends
	JSON   bool // the lines as they are, not as people read them
}

// Tail writes the last lines of a log to w, one each. It checks nothing but
// that they can be read: that is Verify's.
func Tail(ctx context.Context, v View, w io.Writer) error {
	t := tail{View: v, w: w}
	if err := t.start(); err != nil {
		return err
	}
	defer t.close()
	for {
		if err := t.show(); err != nil {
			return err
		}
		more, err := t.next()
		if err != nil || !more && !v.Follow {
			return err
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pollEvery):
		}
	}
}

// tail is a place in a log: all complete lines before it were shown.
type tail struct {
	View
	w      io.Writer
	number int      // of the segment
	file   *os.File // nil while there is none
	at     int64
	skip   int // lines that are not shown
	turned bool
}

func (t *tail) close() {
	if t.file != nil {
		t.file.Close()
	}
}

// start goes back as many segments as have the lines to show.
func (t *tail) start() error {
	numbers, err := segments(t.Dir)
	if err != nil {
		return err
	}
	total := 0
	for _, number := range slices.Backward(numbers) {
		n, err := countLines(filepath.Join(t.Dir, segmentName(number)))
		if err != nil {
			return err
		}
		t.number = number - 1 // for next
		if total += n; total >= t.Lines {
			break
		}
	}
	t.skip = max(0, total-t.Lines)
	_, err = t.next()
	return err
}

func countLines(path string) (n int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read the audit log: %w", err)
	}
	defer f.Close()
	buf := make([]byte, maxLine)
	for {
		read, err := f.Read(buf)
		n += bytes.Count(buf[:read], []byte("\n"))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read the audit log: %w", err)
		}
	}
}

// show writes all complete lines of the segment that were not shown.
func (t *tail) show() error {
	if t.file == nil {
		return nil
	}
	info, err := t.file.Stat()
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	lines := newLineReader(io.NewSectionReader(t.file, t.at, info.Size()-t.at))
	for {
		text, n, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		t.at += n
		if t.skip > 0 {
			t.skip--
			continue
		}
		if !t.JSON {
			text = []byte(plain(text))
		}
		if _, err := t.w.Write(append(bytes.Clone(text), '\n')); err != nil {
			return err
		}
	}
}

// next goes to the next segment, if there is one and this one was shown to its
// end after the next had begun.
func (t *tail) next() (more bool, err error) {
	f, err := os.Open(filepath.Join(t.Dir, segmentName(t.number+1)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the audit log: %w", err)
	}
	if t.file != nil && !t.turned {
		t.turned = true
		return true, f.Close()
	}
	t.close()
	t.number, t.file, t.at, t.turned = t.number+1, f, 0, false
	return true, nil
}

// plain is a line for people: time, action, outcome, facts.
func plain(text []byte) string {
	l, err := parseLine(text)
	if err != nil {
		return fmt.Sprintf("(a line that cannot be read: %v)", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", l.at.Format("2006-01-02T15:04:05.000Z"), word(l.Action), word(l.Outcome))
	for _, fact := range []struct{ name, value string }{
		{"client", l.Client}, {"subject", l.Subject}, {"actor", l.Actor}, {"audience", l.Audience},
		{"scopes", strings.Join(l.Scopes, " ")}, {"token", l.TokenID}, {"source", l.Source},
		{"request", l.RequestID}, {"reason", l.Reason}, {"detail", l.Detail},
	} {
		if fact.value != "" {
			fmt.Fprintf(&b, " %s=%s", fact.name, word(fact.value))
		}
	}
	return b.String()
}

// word quotes what is not one plain word, so that no value looks like another
// fact or steers a terminal.
func word(s string) string {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '=' || r == '\\' }
	if strings.ContainsFunc(s, odd) {
		return strconv.QuoteToASCII(s)
	}
	return s
}
