package audit

import (
	"fmt"
	"time"
)

// Report is what a log is that verified.
type Report struct {
	Segments int
	// First is the number of the first line there is, in FirstSegment; above 1
	// when older segments were moved away. 0 when the log is empty.
	First        uint64
	FirstSegment string
	Since        time.Time
	Head         Head
	// Unterminated is how many bytes follow the last line without an end of
	// their own: a line that is being written, or was when the process died.
	// Nobody was answered for it.
	Unterminated int64
}

// Broken is the first place where a log is not what was written.
type Broken struct {
	Segment string // the file's name
	Line    int    // in it, from 1
	Seq     uint64 // the number that the line should have
	What    string // begins with altered, removed, inserted, reordered or cut
}

func (b *Broken) Error() string {
	return fmt.Sprintf("%s line %d (number %d): %s", b.Segment, b.Line, b.Seq, b.What)
}
