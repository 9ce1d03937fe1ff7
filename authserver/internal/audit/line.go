package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const (
	// maxLine bounds a line with its end. Ours are shorter whatever is in them:
	// twelve fields, of which escaping makes six times as much.
	maxLine = 64 << 10
	// timeLayout is RFC 3339 in UTC, to the microsecond, always as long.
	timeLayout = "2006-01-02T15:04:05.000000Z"
)

// noLine is what the first line of all names as the one before it.
var noLine = strings.Repeat("0", 2*sha256.Size)

// Head is the last line of a log: whoever keeps it can tell later whether the
// log up to there is still the same.
type Head struct {
	Seq  uint64    `json:"seq"`  // 0 while the log is empty
	Hash string    `json:"hash"` // SHA-256 of the line without its end, in hex
	Time time.Time `json:"time"`
}

// line is one line of the log.
type line struct {
	Seq  uint64 `json:"seq"`
	Prev string `json:"prev"`
	Time string `json:"time"`
	Record
	at time.Time // Time, parsed
}

// appendLine appends a line without its end. facts come from appendFacts.
func appendLine(dst []byte, seq uint64, prev, at string, facts []byte) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, seq, 10)
	dst = append(dst, `,"prev":"`...)
	dst = append(dst, prev...)
	dst = append(dst, `","time":"`...)
	dst = append(dst, at...)
	dst = append(dst, '"')
	dst = append(dst, facts...)
	return append(dst, '}')
}

// parseLine reads a line without its end. It takes only what appendLine writes,
// to the byte: a line that says the same in another way was not written by us.
func parseLine(text []byte) (line, error) {
	if len(text) >= maxLine {
		return line{}, fmt.Errorf("it is longer than %d bytes", maxLine)
	}
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return line{}, errors.New("it is no record in JSON") // the cause would quote what a stranger wrote
	}
	if l.Action == "" || l.Outcome == "" {
		return line{}, errors.New("it is no record: it has no action or no outcome")
	}
	if _, err := hex.DecodeString(l.Prev); err != nil || len(l.Prev) != 2*sha256.Size {
		return line{}, errors.New(`it is no record: "prev" is no SHA-256 in hex`)
	}
	var err error
	if l.at, err = time.Parse(timeLayout, l.Time); err != nil {
		return line{}, errors.New(`it is no record: "time" is not in UTC to the microsecond`)
	}
	if !bytes.Equal(appendLine(nil, l.Seq, l.Prev, l.Time, l.appendFacts(nil)), text) {
		return line{}, errors.New("it is not written as a record is")
	}
	return l, nil
}

func hash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// follows says why a line does not come after the one at head.
func (l line) follows(head Head) error {
	if l.Seq != head.Seq+1 {
		return fmt.Errorf("number %d follows number %d", l.Seq, head.Seq)
	}
	if l.Prev != head.Hash && (head.Seq > 0 || l.Prev != noLine) {
		return fmt.Errorf("number %d does not name the line before it", l.Seq)
	}
	return nil
}

// readLine returns the next line without its end, valid until the next call,
// and how many bytes it takes. An unterminated rest gives io.EOF and its bytes;
// of a line that is too long the text is cut off, where parseLine refuses it.
func readLine(r *bufio.Reader) (text []byte, n int64, err error) {
	text, err = r.ReadSlice('\n')
	n = int64(len(text))
	if !errors.Is(err, bufio.ErrBufferFull) {
		return bytes.TrimSuffix(text, []byte("\n")), n, err
	}
	text = bytes.Clone(text)
	for errors.Is(err, bufio.ErrBufferFull) {
		var rest []byte
		rest, err = r.ReadSlice('\n')
		n += int64(len(rest))
	}
	return text, n, err
}

func newLineReader(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, maxLine) }
