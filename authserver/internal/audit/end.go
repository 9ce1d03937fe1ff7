package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// end is where the next line goes: what the writer knows of the log's end. All
// of it is touched under the lock only.
type end struct {
	dir    string
	number int      // of the last segment; 0 when there is none
	file   *os.File // that segment
	size   int64    // up to the end of the last line
	last   Head     // that line
	torn   int64    // bytes that were cut off and no record says so yet
}

func (e *end) close() error {
	if e.file == nil {
		return nil
	}
	return e.file.Close()
}

// find looks for the end, checks the last two lines and cuts off what follows
// them.
func (e *end) find() error {
	numbers, err := segments(e.dir)
	if err != nil || len(numbers) == 0 {
		return err
	}
	var lines [][]byte // last first
	for i := len(numbers) - 1; i >= 0 && len(lines) < 2; i-- {
		name := segmentName(numbers[i])
		f, err := os.OpenFile(filepath.Join(e.dir, name), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		found, size, err := e.take(f, 2-len(lines), i == len(numbers)-1)
		if i == len(numbers)-1 {
			e.number, e.file, e.size = numbers[i], f, size
		} else {
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return err
		}
		for j := len(found) - 1; j >= 0; j-- {
			lines = append(lines, found[j])
		}
	}
	if err := e.check(lines); err != nil || e.torn == 0 {
		return err
	}
	return e.file.Truncate(e.size)
}

// take returns the last lines of a segment. Only the last segment may end
// within a line.
func (e *end) take(f *os.File, n int, last bool) (lines [][]byte, end int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	lines, end, err = lastLines(f, info.Size(), n)
	if err != nil || end == info.Size() {
		return lines, end, err
	}
	if !last {
		return nil, 0, broken(filepath.Base(f.Name()), "its last line has no end")
	}
	e.torn = info.Size() - end
	return lines, end, nil
}

// check reads the last line and the one before it, last first.
func (e *end) check(lines [][]byte) error {
	var before Head
	for i := len(lines) - 1; i >= 0; i-- {
		l, err := parseLine(lines[i])
		if err == nil && (i == 0 && len(lines) > 1 || l.Seq == 1) {
			err = l.follows(before)
		}
		if err != nil {
			return broken(segmentName(e.number), "near its end: "+err.Error())
		}
		before = Head{Seq: l.Seq, Hash: hash(lines[i]), Time: l.at}
	}
	e.last = before
	return nil
}

// catchUp reads what other processes have written since. It costs three system
// calls when they have written nothing.
func (e *end) catchUp(dir *os.File) error {
	for {
		torn, err := e.readOn()
		if err != nil {
			return err
		}
		if torn > 0 {
			return e.cut(torn)
		}
		if err := e.next(dir, 0); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// cut removes what follows the last line: whoever wrote it died of it, or they
// would hold the lock.
func (e *end) cut(torn int64) error {
	if _, err := os.Stat(filepath.Join(e.dir, segmentName(e.number+1))); err == nil {
		return broken(segmentName(e.number), "its last line has no end")
	}
	e.torn += torn
	return e.file.Truncate(e.size)
}

// readOn reads the rest of the last segment and returns the bytes after its last
// line.
func (e *end) readOn() (torn int64, err error) {
	if e.file == nil {
		return 0, nil
	}
	name := segmentName(e.number)
	mine, err := e.file.Stat()
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(filepath.Join(e.dir, name))
	if err != nil || !os.SameFile(mine, info) {
		return 0, fmt.Errorf("%s was moved away while it is written to (only older segments may be): put it back", name)
	}
	if info.Size() == e.size {
		return 0, nil
	}
	if info.Size() < e.size {
		return 0, broken(name, fmt.Sprintf("it has %d bytes and had %d", info.Size(), e.size))
	}
	lines := newLineReader(io.NewSectionReader(e.file, e.size, info.Size()-e.size))
	for {
		text, n, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		l, err := parseLine(text)
		if err == nil {
			err = l.follows(e.last)
		}
		if err != nil {
			return 0, broken(name, err.Error())
		}
		e.size += n
		e.last = Head{Seq: l.Seq, Hash: hash(text), Time: l.at}
	}
}

// begin makes the next segment. Of a process that died, the one before may have
// lines that it did not wait for: later nobody would.
func (e *end) begin(dir *os.File) error {
	if e.file != nil {
		if err := e.file.Sync(); err != nil {
			return err
		}
	}
	return e.next(dir, os.O_CREATE|os.O_EXCL)
}

// next goes on with the next segment: the one another process has begun, or with
// the flags of creation a new one. Its name is on the disk before any of its
// lines is.
func (e *end) next(dir *os.File, create int) error {
	f, err := os.OpenFile(filepath.Join(e.dir, segmentName(e.number+1)), os.O_RDWR|create, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(e.close(), dir.Sync()); err != nil {
		return errors.Join(err, f.Close())
	}
	e.number, e.file, e.size = e.number+1, f, 0
	return nil
}
