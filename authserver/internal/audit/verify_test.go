package audit_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"portcullis/authserver/internal/audit"
)

// small writes a log of n lines in one segment and returns them with its head.
func small(t *testing.T, dir string, n int) ([]string, audit.Head) {
	t.Helper()
	l := open(t, audit.Config{Dir: dir})
	for i := range n {
		if err := l.Append(t.Context(), audit.Record{Action: "issue", Outcome: "granted", Client: fmt.Sprintf("c%d", i+1)}); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	lines := strings.SplitAfter(text(t, dir, 1), "\n")
	return lines[:n], l.Head()
}

// where fails unless the log is broken at this line, and returns what it is.
func where(t *testing.T, dir string, head *audit.Head, segment string, row int) string {
	t.Helper()
	_, err := audit.Verify(dir, head)
	broken, ok := errors.AsType[*audit.Broken](err)
	if !ok {
		t.Fatalf("error %v, want that line %d is broken", err, row)
	}
	if broken.Segment != segment || broken.Line != row {
		t.Errorf("%v, want %s line %d named", broken, segment, row)
	}
	return broken.What
}

const first = "00000001.jsonl"

func TestAnyByteThatIsChangedNamesItsLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines, head := small(t, dir, 4)
	whole := strings.Join(lines, "")
	row := 1
	for i := range whole {
		for _, mask := range []byte{0x01, 0x80, whole[i] ^ '\n', whole[i] ^ '1'} {
			changed := []byte(whole)
			if changed[i] ^= mask; mask == 0 {
				continue
			}
			write(t, dir, 1, string(changed))
			what := where(t, dir, &head, first, row)
			if i != len(whole)-1 && !strings.HasPrefix(what, "altered") {
				t.Errorf("byte %d of line %d: %s, want altered", i, row, what)
			}
			if t.Failed() {
				t.Fatalf("byte %d xor %#x", i, mask)
			}
		}
		if whole[i] == '\n' {
			row++
		}
	}
}

func TestLinesThatAreNotWhereTheyWere(t *testing.T) {
	t.Parallel()
	type edit struct {
		name string
		edit func(lines []string) []string
		row  int
		what string
	}
	var edits []edit
	const n = 6
	for i := range n {
		if i < n-1 { // the last one that is missing is a cut tail
			edits = append(edits, edit{
				fmt.Sprintf("line %d is missing", i+1),
				func(l []string) []string { return slices.Delete(l, i, i+1) }, i + 1, "removed",
			})
		}
		if i < n-2 {
			edits = append(edits, edit{
				fmt.Sprintf("two lines from %d are missing", i+1),
				func(l []string) []string { return slices.Delete(l, i, min(i+2, n-1)) }, i + 1, "removed",
			})
		}
		edits = append(edits, edit{
			fmt.Sprintf("line %d is there twice", i+1),
			func(l []string) []string { return slices.Insert(l, i, l[i]) }, i + 2, "inserted",
		})
		if i >= 2 {
			edits = append(edits, edit{
				fmt.Sprintf("line 1 is there again after line %d", i+1),
				func(l []string) []string { return slices.Insert(l, i+1, l[0]) }, i + 2, "inserted",
			})
		}
		for j := i + 1; j < n; j++ {
			if i > 0 {
				edits = append(edits, edit{
					fmt.Sprintf("lines %d and %d changed places", i+1, j+1),
					func(l []string) []string { l[i], l[j] = l[j], l[i]; return l }, i + 1, "reordered",
				})
			}
		}
		edits = append(edits, edit{
			fmt.Sprintf("an empty line stands before %d", i+1),
			func(l []string) []string { return slices.Insert(l, i, "\n") }, i + 1, "altered",
		})
	}
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			lines, head := small(t, dir, n)
			write(t, dir, 1, strings.Join(e.edit(lines), ""))
			if what := where(t, dir, &head, first, e.row); !strings.HasPrefix(what, e.what) {
				t.Errorf("%s, want %s", what, e.what)
			}
		})
	}
}

func TestALineThatSomebodyForgedIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines, head := small(t, dir, 5)
	forge := func(row int, how func(string) string) []string {
		l := slices.Clone(lines)
		l[row-1] = how(l[row-1])
		return l
	}
	// As the log would have it, after line 2: nothing is wrong with it but that
	// the real line 3 follows.
	two := func(string) string { return lines[1] }
	like := audit.Seal(3, strings.TrimSuffix(lines[1], "\n"), audit.Record{Action: "issue", Outcome: "refused"}) + "\n"
	tests := map[string]struct {
		lines []string
		row   int
		what  string
	}{
		"another client":         {forge(3, func(s string) string { return strings.Replace(s, "c3", "c9", 1) }), 3, "altered"},
		"in place of line 3":     {forge(3, func(string) string { return like }), 3, "altered"},
		"an older line instead":  {forge(4, two), 4, "altered"},
		"before line 3":          {slices.Insert(slices.Clone(lines), 2, like), 3, "inserted"},
		"a field that is ours?":  {forge(2, func(s string) string { return strings.Replace(s, "}", `,"note":"x"}`, 1) }), 2, "altered"},
		"a field twice":          {forge(2, func(s string) string { return strings.Replace(s, "}", `,"client":"c2"}`, 1) }), 2, "altered"},
		"another order":          {forge(2, func(s string) string { return strings.Replace(s, `{"seq":2,`, "{", 1) }), 2, "altered"},
		"upper case":             {forge(2, func(s string) string { return strings.Replace(s, "client", "Client", 1) }), 2, "altered"},
		"spaces":                 {forge(2, func(s string) string { return " " + s }), 2, "altered"},
		"a carriage return":      {forge(2, func(s string) string { return strings.Replace(s, "\n", "\r\n", 1) }), 2, "altered"},
		"longer than any of us":  {forge(2, func(s string) string { return strings.Repeat("x", 3*audit.MaxLine) + "\n" }), 2, "altered"},
		"the last, with a head":  {forge(5, func(s string) string { return strings.Replace(s, "c5", "c9", 1) }), 5, "altered"},
		"the first, from nobody": {forge(1, func(s string) string { return strings.Replace(s, "c1", "c9", 1) }), 1, "altered"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			write(t, dir, 1, strings.Join(test.lines, ""))
			if what := where(t, dir, &head, first, test.row); !strings.HasPrefix(what, test.what) {
				t.Errorf("%s, want %s", what, test.what)
			}
		})
	}
}

func TestOnlyAHeadMissesACutTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines, head := small(t, dir, 5)
	for keep := range 5 {
		write(t, dir, 1, strings.Join(lines[:keep], ""))
		if what := where(t, dir, &head, first, keep+1); !strings.HasPrefix(what, "cut") {
			t.Errorf("%d lines left: %s, want cut", keep, what)
		}
		if report := verified(t, dir, nil); report.Head.Seq != uint64(keep) {
			t.Errorf("%d lines left: report %+v", keep, report)
		}
	}
	if err := os.Remove(filepath.Join(dir, first)); err != nil {
		t.Fatal(err)
	}
	if what := where(t, dir, &head, first, 1); !strings.HasPrefix(what, "cut") {
		t.Errorf("nothing left: %s, want cut", what)
	}
	if _, err := audit.Verify(filepath.Join(dir, "nowhere"), nil); err == nil {
		t.Error("a folder that is not there verified")
	}
}

// Somebody who writes the whole log anew makes a chain without a fault.
func TestOnlyAHeadTellsALogThatWasWrittenAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, head := small(t, t.TempDir(), 5)
	small(t, dir, 7)
	verified(t, dir, nil)
	if what := where(t, dir, &head, first, 5); !strings.HasPrefix(what, "altered") {
		t.Errorf("%s, want altered", what)
	}
}

func TestSegmentsThatAreNotWhatTheyWere(t *testing.T) {
	t.Parallel()
	const third = "00000003.jsonl"
	tests := map[string]struct {
		edit    func(t *testing.T, dir string)
		segment string
		row     int
		what    string
	}{
		"one in the middle is missing": {func(t *testing.T, dir string) {
			os.Remove(filepath.Join(dir, "00000002.jsonl"))
		}, third, 1, "removed: numbers 3 to 4 are missing, with the segment 00000002.jsonl"},
		"two changed names": {func(t *testing.T, dir string) {
			two, three := text(t, dir, 2), text(t, dir, 3)
			write(t, dir, 2, three)
			write(t, dir, 3, two)
		}, "00000002.jsonl", 1, "re"},
		"the last line of one was altered": {func(t *testing.T, dir string) {
			write(t, dir, 2, strings.Replace(text(t, dir, 2), `"detail":"4"`, `"detail":"9"`, 1))
		}, "00000002.jsonl", 2, "altered"},
		"the first line of one was altered": {func(t *testing.T, dir string) {
			write(t, dir, 3, strings.Replace(text(t, dir, 3), `"detail":"5"`, `"detail":"9"`, 1))
		}, third, 1, "altered"},
		"one in the middle has lost its end": {func(t *testing.T, dir string) {
			write(t, dir, 2, strings.TrimSuffix(text(t, dir, 2), "\n"))
		}, "00000002.jsonl", 2, "altered"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := open(t, audit.Config{Dir: dir, SegmentSize: 600}) // two lines
			add(t, l, "1", "2", "3", "4", "5", "6", "7", "8")
			head := l.Head()
			if report := verified(t, dir, &head); report.Segments != 4 {
				t.Fatalf("report %+v, want 4 segments", report)
			}
			test.edit(t, dir)
			if what := where(t, dir, &head, test.segment, test.row); !strings.HasPrefix(what, test.what) {
				t.Errorf("%s, want %s", what, test.what)
			}
		})
	}
}
