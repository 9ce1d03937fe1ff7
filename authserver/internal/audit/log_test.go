package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/internal/audit"
)

func open(t *testing.T, cfg audit.Config) *audit.Log {
	t.Helper()
	l, err := audit.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func record(detail string) audit.Record {
	return audit.Record{
		Action: "issue", Outcome: "granted", Client: "demo", Audience: "gateway", Scopes: []string{"search:read"},
		Source: "127.0.0.1", TokenID: "J3X", Detail: detail,
	}
}

func add(t *testing.T, l *audit.Log, details ...string) {
	t.Helper()
	for _, d := range details {
		if err := l.Append(t.Context(), record(d)); err != nil {
			t.Fatal(err)
		}
	}
}

// text is what stands in a segment.
func text(t *testing.T, dir string, segment int) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%08d.jsonl", segment)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, dir string, segment int, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%08d.jsonl", segment)), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func verified(t *testing.T, dir string, head *audit.Head) audit.Report {
	t.Helper()
	report, err := audit.Verify(dir, head)
	if err != nil {
		t.Fatalf("the log does not verify: %v", err)
	}
	return report
}

func TestALineHasOneForm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := time.Date(2026, 11, 25, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	l := open(t, audit.Config{Dir: dir, Now: func() time.Time { return at }})
	if l.Head() != (audit.Head{}) {
		t.Errorf("an empty log has the head %+v", l.Head())
	}
	if err := l.Append(t.Context(), audit.Record{Action: "issue", Outcome: "granted"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), audit.Record{
		Action: "exchange", Outcome: "refused", Client: "gateway", Subject: "u-7", Actor: "search", TokenID: "J3X", Audience: "payments",
		Scopes: []string{"a", "b"}, Source: "::1", RequestID: "r-1", Reason: "invalid_target", Detail: "é \"quoted\" \\ \x1b[2J \U0001f511 \xff",
	}); err != nil {
		t.Fatal(err)
	}
	want := `{"seq":1,"prev":"0000000000000000000000000000000000000000000000000000000000000000","time":"2026-11-25T11:00:00.123456Z","action":"issue","outcome":"granted"}
{"seq":2,"prev":"9d93e190ab009f4f05dcdd04d8e6f80a1cc25c4362bca0df651a3da783ca65c5","time":"2026-11-25T11:00:00.123456Z","action":"exchange","outcome":"refused","client":"gateway","subject":"u-7","actor":"search","token_id":"J3X","audience":"payments","scopes":["a","b"],"source":"::1","request_id":"r-1","reason":"invalid_target","detail":"\u00e9 \"quoted\" \\ \u001b[2J \ud83d\udd11 \ufffd"}
`
	got := text(t, dir, 1)
	if got != want {
		t.Errorf("the log is\n%swant\n%s", got, want)
	}
	report := verified(t, dir, nil)
	if report.Head != l.Head() || report.Head.Seq != 2 || report.First != 1 || report.Segments != 1 || !report.Since.Equal(at.Truncate(time.Microsecond)) {
		t.Errorf("report %+v, head %+v", report, l.Head())
	}
}

func TestWhatStrangersSendIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, audit.Config{Dir: dir})
	long := strings.Repeat("\x1b\xff\U0001f511é", 10_000)
	r := audit.Record{
		Action: long, Outcome: long, Client: long, Subject: long, Actor: long, TokenID: long, Audience: long,
		Scopes: strings.Split(strings.Repeat("\x00 ", 1000), " "), Source: long, RequestID: long, Reason: long, Detail: long,
	}
	if err := l.Append(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	r.Scopes = []string{long, long}
	if err := l.Append(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if size := len(text(t, dir, 1)); size > 2*audit.MaxLine || size < 10_000 {
		t.Errorf("two lines have %d bytes, want at most two times %d", size, audit.MaxLine)
	}
	verified(t, dir, nil)
}

func TestARecordSaysWhatAndWhatCameOfIt(t *testing.T) {
	t.Parallel()
	l := open(t, audit.Config{Dir: t.TempDir()})
	for _, r := range []audit.Record{{}, {Action: "issue"}, {Outcome: "granted"}} {
		if err := l.Append(t.Context(), r); err == nil {
			t.Errorf("%+v was taken", r)
		}
	}
	if l.Head().Seq != 0 {
		t.Error("something was written")
	}
}

func TestOnlyTheOwnerCanReadTheLog(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data", "audit")
	l := open(t, audit.Config{Dir: dir})
	add(t, l, "1")
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "00000001.jsonl"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %o: %v", path, info.Mode(), want, err)
		}
	}
}

func TestTheChainGoesOnAcrossRestartsAndSegments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var heads []audit.Head
	for i := range 4 {
		l := open(t, audit.Config{Dir: dir, SegmentSize: 1000}) // some three lines
		for j := range 5 {
			add(t, l, fmt.Sprintf("%d-%d", i, j))
			heads = append(heads, l.Head())
		}
		l.Close()
		if again := open(t, audit.Config{Dir: dir}); again.Head() != heads[len(heads)-1] {
			t.Errorf("after a restart the head is %+v, want %+v", again.Head(), heads[len(heads)-1])
		}
	}
	for _, head := range heads {
		verified(t, dir, &head)
	}
	report := verified(t, dir, nil)
	if report.Head.Seq != 20 || report.Segments < 5 {
		t.Errorf("report %+v, want 20 lines in some segments", report)
	}
	// An operator moves the older ones away.
	for i := 1; i <= 3; i++ {
		if err := os.Remove(filepath.Join(dir, fmt.Sprintf("%08d.jsonl", i))); err != nil {
			t.Fatal(err)
		}
	}
	short := verified(t, dir, &heads[19])
	if short.First < 4 || short.FirstSegment != "00000004.jsonl" || short.Head != report.Head {
		t.Errorf("report %+v, want one that begins with the fourth segment", short)
	}
	if _, err := audit.Verify(dir, &heads[0]); err == nil || !strings.Contains(err.Error(), "older segments") {
		t.Errorf("a head from before the beginning: %v", err)
	}
	l := open(t, audit.Config{Dir: dir})
	add(t, l, "more")
	if report := verified(t, dir, nil); report.Head.Seq != 21 {
		t.Errorf("report %+v, want 21 lines", report)
	}
}

func TestWhatACrashLeftUnfinishedIsCutOffAndRecorded(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]string{
		"half a line": `{"seq":3,"prev":"00`, "one byte": "{", "a lot of nothing": strings.Repeat("\x00", 1_200_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first := open(t, audit.Config{Dir: dir})
			add(t, first, "1", "2")
			head := first.Head()
			first.Close()
			write(t, dir, 1, text(t, dir, 1)+rest)
			if report := verified(t, dir, &head); report.Unterminated != int64(len(rest)) {
				t.Errorf("report %+v, want %d bytes of an unfinished line", report, len(rest))
			}
			l := open(t, audit.Config{Dir: dir})
			add(t, l, "3")
			report := verified(t, dir, &head)
			if report.Head.Seq != 4 || report.Unterminated != 0 {
				t.Errorf("report %+v, want three records and the recovery", report)
			}
			want := fmt.Sprintf(`"action":"audit","outcome":"recovered","detail":"%d bytes`, len(rest))
			if lines := strings.Split(text(t, dir, 1), "\n"); !strings.Contains(lines[2], want) {
				t.Errorf("line 3 is %s, want it to hold %s", lines[2], want)
			}
		})
	}
}

func TestAnotherProcessThatDiesHalfwayIsRecoveredFrom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, audit.Config{Dir: dir})
	add(t, l, "1")
	f, err := os.OpenFile(filepath.Join(dir, "00000001.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strings.Repeat("x", 5000)); err != nil { // more than what comes in its place
		t.Fatal(err)
	}
	add(t, l, "2")
	if report := verified(t, dir, nil); report.Head.Seq != 3 || report.Unterminated != 0 || !strings.Contains(text(t, dir, 1), "5000 bytes of a line") {
		t.Errorf("report %+v, want the recovery between two records:\n%s", report, text(t, dir, 1))
	}
}

func TestALogThatWasAlteredNearItsEndIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	lines := func(t *testing.T, dir string) []string { return strings.SplitAfter(text(t, dir, 1), "\n") }
	alter := map[string]func(t *testing.T, dir string){
		"the last line is none": func(t *testing.T, dir string) { write(t, dir, 1, text(t, dir, 1)+"so what\n") },
		"the last line names another one": func(t *testing.T, dir string) {
			write(t, dir, 1, strings.Replace(text(t, dir, 1), `"detail":"2"`, `"detail":"7"`, 1))
		},
		"the last but one is missing": func(t *testing.T, dir string) {
			l := lines(t, dir)
			write(t, dir, 1, l[0]+l[2])
		},
		"the last line is there twice": func(t *testing.T, dir string) {
			l := lines(t, dir)
			write(t, dir, 1, text(t, dir, 1)+l[2])
		},
		"it is written in another way": func(t *testing.T, dir string) {
			write(t, dir, 1, strings.Replace(text(t, dir, 1), `{"seq":3,`, `{"seq": 3,`, 1))
		},
	}
	for name, alter := range alter {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := open(t, audit.Config{Dir: dir})
			add(t, l, "1", "2", "3")
			l.Close()
			alter(t, dir)
			before := text(t, dir, 1)
			if _, err := audit.Open(audit.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "authserver audit verify") {
				t.Errorf("error %v, want one that says to verify", err)
			}
			if text(t, dir, 1) != before {
				t.Error("the refused log was changed")
			}
		})
	}
}

func TestALogThatIsAlteredWhileItIsOpenTakesNothing(t *testing.T) {
	t.Parallel()
	path := func(dir string) string { return filepath.Join(dir, "00000001.jsonl") }
	for name, alter := range map[string]func(dir string, t *testing.T) error{
		"it was cut":     func(dir string, _ *testing.T) error { return os.Truncate(path(dir), 10) },
		"it was removed": func(dir string, _ *testing.T) error { return os.Remove(path(dir)) },
		"a copy stands in its place": func(dir string, t *testing.T) error {
			whole := text(t, dir, 1)
			err := os.Remove(path(dir))
			write(t, dir, 1, whole)
			return err
		},
		"another segment follows half a line": func(dir string, t *testing.T) error {
			write(t, dir, 1, text(t, dir, 1)+`{"seq":2`)
			write(t, dir, 2, "")
			return nil
		},
		"somebody wrote": func(dir string, t *testing.T) error {
			write(t, dir, 1, text(t, dir, 1)+"so what\n")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := open(t, audit.Config{Dir: dir})
			add(t, l, "1")
			head := l.Head()
			if err := alter(dir, t); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := l.Append(t.Context(), record("2")); err == nil {
					t.Error("a record was taken")
				}
			}
			if l.Head() != head {
				t.Errorf("the head is %+v, want %+v", l.Head(), head)
			}
		})
	}
}

func TestManyMayWriteAtOnceFromManyProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	logs := []*audit.Log{
		open(t, audit.Config{Dir: dir, SegmentSize: 20_000}), open(t, audit.Config{Dir: dir, SegmentSize: 30_000}), open(t, audit.Config{Dir: dir, SegmentSize: 1}),
	}
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			for j := range 20 {
				if err := logs[i%3].Append(context.Background(), record(fmt.Sprintf("%d-%d", i, j))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var all bytes.Buffer
	if err := audit.Tail(t.Context(), audit.View{Dir: dir, Lines: 1000, JSON: true}, &all); err != nil {
		t.Fatal(err)
	}
	for i := range 24 {
		for j := range 20 {
			if n := strings.Count(all.String(), fmt.Sprintf(`"detail":"%d-%d"}`, i, j)); n != 1 {
				t.Errorf("record %d-%d is there %d times", i, j, n)
			}
		}
	}
	if report := verified(t, dir, nil); report.Head.Seq != 480 {
		t.Errorf("report %+v, want 480 lines", report)
	}
}

func TestARecordOfOneWhoLeftOrCameTooLateIsNotCalledWritten(t *testing.T) {
	t.Parallel()
	l := open(t, audit.Config{Dir: t.TempDir()})
	ctx, leave := context.WithCancel(t.Context())
	leave()
	for name, appendOne := range map[string]func(context.Context, audit.Record) error{"left": l.Append, "left unseen": l.AppendAndStay} {
		if err := appendOne(ctx, record("1")); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want that the context ended", name, err)
		}
	}
	add(t, l, "2")
	if l.Head().Seq != 1 {
		t.Errorf("the head is %+v, want one record", l.Head())
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := l.Append(t.Context(), record("3")); err == nil {
		t.Error("a closed log took a record")
	}
}
