package main

import (
	"bytes"
	"os"
	"strings"
	"sync"
)

// What a tail keeps: enough for the reason of a death or the top of a panic.
const (
	tailLines = 12
	tailBytes = 8 << 10
)

// tail is where a child's diagnostics go: to its log file, and the last lines
// stay at hand for when it dies.
type tail struct {
	file *os.File

	mu   sync.Mutex
	last []byte
}

func newTail(log string) (*tail, error) {
	file, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	return &tail{file: file}, nil
}

// Write never fails: a full disk must not break the child's stderr.
func (t *tail) Write(b []byte) (int, error) {
	_, _ = t.file.Write(b)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if extra := len(t.last) - tailBytes; extra > 0 {
		t.last = append(t.last[:0], t.last[extra:]...)
	}
	return len(b), nil
}

// text is the last lines, indented.
func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(t.last), []byte("\n"))
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	var out strings.Builder
	for _, line := range lines {
		if len(line) > 0 {
			out.WriteString("    " + string(line) + "\n")
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func (t *tail) close() { t.file.Close() }
