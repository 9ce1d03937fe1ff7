package token

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	// maxEventLine bounds a line of the stream, and what the lines of one event
	// come to; a revocation has two hundred bytes.
	maxEventLine = 4 << 10
	// maxEventLines bounds the lines of one event, comments included.
	maxEventLines = 16
)

// sse is one server-sent event (HTML Living Standard 9.2).
type sse struct{ name, id, data string }

// sseReader takes a stream of events apart, strictly: what no token service
// sends ends the stream.
type sseReader struct{ lines *bufio.Reader }

func newSSEReader(r io.Reader) *sseReader {
	return &sseReader{bufio.NewReaderSize(r, maxEventLine)}
}

// next returns the next event that has data. Comments and fields that are not
// known are skipped, as the standard asks.
func (r *sseReader) next() (sse, error) {
	var e sse
	for n, data := 0, false; ; n++ {
		if n == maxEventLines {
			return sse{}, fmt.Errorf("an event has more than %d lines", maxEventLines)
		}
		line, err := r.line()
		if err != nil {
			return sse{}, err
		}
		if len(line) == 0 {
			if data {
				return e, nil
			}
			e, n = sse{}, -1 // an event without data is none
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			e.name = string(value)
		case "id":
			e.id = string(value)
		case "data":
			if data {
				e.data += "\n"
			}
			data = true
			if e.data += string(value); len(e.data) > maxEventLine {
				return sse{}, fmt.Errorf("an event has more than %d bytes", maxEventLine)
			}
		}
	}
}

// line returns a line without its end, LF or CRLF. The standard also knows a CR
// alone; nobody sends it, and it would hide in logs.
func (r *sseReader) line() ([]byte, error) {
	line, err := r.lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("a line of the stream has more than %d bytes", maxEventLine)
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return nil, io.ErrUnexpectedEOF // cut off in the middle: half an event is none
	}
	if err != nil {
		return nil, err
	}
	line = bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))
	if !utf8.Valid(line) || bytes.ContainsAny(line, "\r\x00") {
		return nil, errors.New("a line of the stream has a character that is not allowed")
	}
	return line, nil
}
