package audit_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"portcullis/authserver/internal/audit"
)

// shown is what Tail shows at once.
func shown(t *testing.T, v audit.View) string {
	t.Helper()
	var b bytes.Buffer
	if err := audit.Tail(t.Context(), v, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTailShowsTheLastLinesOfAllSegments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := shown(t, audit.View{Dir: dir, Lines: 3}); got != "" {
		t.Errorf("an empty log shows %q", got)
	}
	l := open(t, audit.Config{Dir: dir, SegmentSize: 600}) // two lines
	add(t, l, "1", "2", "3", "4", "5", "6", "7")
	all := text(t, dir, 1) + text(t, dir, 2) + text(t, dir, 3) + text(t, dir, 4)
	lines := strings.SplitAfter(all, "\n")
	for n := range 9 {
		want := strings.Join(lines[max(0, 7-n):], "")
		if got := shown(t, audit.View{Dir: dir, Lines: n, JSON: true}); got != want {
			t.Errorf("the last %d lines are\n%swant\n%s", n, got, want)
		}
	}
	write(t, dir, 4, text(t, dir, 4)+`{"seq":8`)
	if got := shown(t, audit.View{Dir: dir, Lines: 1, JSON: true}); got != lines[6] {
		t.Errorf("beside an unfinished line the last one is %q", got)
	}
	if err := audit.Tail(t.Context(), audit.View{Dir: dir + "/nowhere"}, io.Discard); err == nil {
		t.Error("a folder that is not there was shown")
	}
}

func TestTailIsForPeople(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := time.Date(2026, 11, 25, 12, 0, 0, 5e6, time.UTC)
	l := open(t, audit.Config{Dir: dir, Now: func() time.Time { return at }})
	if err := l.Append(t.Context(), audit.Record{
		Action: "issue", Outcome: "refused", Client: "demo", Audience: "gateway", Scopes: []string{"a", "b"}, Reason: "invalid_scope",
		// An attacker who would like to write lines of their own.
		Detail: "x\n2026-11-25T12:00:00.000Z issue granted client=demo\x1b[2J",
	}); err != nil {
		t.Fatal(err)
	}
	write(t, dir, 1, text(t, dir, 1)+"so \x1b[2J what\n")
	want := `2026-11-25T12:00:00.005Z issue refused client=demo audience=gateway scopes="a b" reason=invalid_scope ` +
		`detail="x\n2026-11-25T12:00:00.000Z issue granted client=demo\x1b[2J"` + "\n" +
		"(a line that cannot be read: it is no record in JSON)\n"
	if got := shown(t, audit.View{Dir: dir, Lines: 5}); got != want {
		t.Errorf("shown is\n%swant\n%s", got, want)
	}
}

func TestTailFollowsFromSegmentToSegment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		defer w.Close()
		ended <- audit.Tail(ctx, audit.View{Dir: dir, Lines: 10, Follow: true}, w)
	}()
	l := open(t, audit.Config{Dir: dir, SegmentSize: 600}) // two lines
	lines := bufio.NewScanner(r)
	for i := range 7 {
		add(t, l, strconv.Itoa(i))
		if !lines.Scan() || !strings.HasSuffix(lines.Text(), "detail="+strconv.Itoa(i)) {
			t.Fatalf("shown is %q, want record %d", lines.Text(), i)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("error %v when it was stopped", err)
	}
}
