package audit

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const suffix = ".jsonl"

// segmentName is the file of the segment with this number, from 1.
func segmentName(number int) string { return fmt.Sprintf("%08d%s", number, suffix) }

// segments lists the numbers of the segments in dir, in order. Other files are
// none of ours.
func segments(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the audit log: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), suffix)
		if n, err := strconv.Atoi(digits); ok && err == nil && n > 0 && segmentName(n) == e.Name() {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// maxLastLines bounds how far back from the end of a segment its last lines are
// looked for: a torn batch and two lines are much shorter.
const maxLastLines = 8 << 20

// lastLines returns up to n of the last complete lines of a segment, and where
// the last of them ends.
func lastLines(f *os.File, size int64, n int) (lines [][]byte, end int64, err error) {
	for span := int64(64 << 10); ; span *= 2 {
		start := max(0, size-span)
		buf := make([]byte, size-start)
		if _, err := f.ReadAt(buf, start); err != nil && err != io.EOF {
			return nil, 0, fmt.Errorf("read the end of the audit log: %w", err)
		}
		complete := bytes.LastIndexByte(buf, '\n') + 1
		lines = bytes.Split(buf[:max(0, complete-1)], []byte("\n"))
		switch {
		case complete == 0:
			lines = nil
		case start > 0:
			lines = lines[1:] // begins before start
		}
		if len(lines) >= n || start == 0 {
			return lines[max(0, len(lines)-n):], start + int64(complete), nil
		}
		if span > maxLastLines {
			return nil, 0, broken(filepath.Base(f.Name()), "there is no line near its end")
		}
	}
}

// broken is why a log cannot be written to.
func broken(segment, why string) error {
	return fmt.Errorf("the audit log is not as it was written (%s: %s): run authserver audit verify", segment, why)
}
