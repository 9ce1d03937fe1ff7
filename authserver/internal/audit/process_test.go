package audit_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"portcullis/authserver/internal/audit"
)

// The test binary is the other process too, when these say so.
const (
	roleVariable   = "AUDIT_TEST_ROLE"
	folderVariable = "AUDIT_TEST_FOLDER"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "writer":
		os.Exit(writeForever(os.Getenv(folderVariable)))
	case "full":
		os.Exit(fillTheDisk(os.Getenv(folderVariable)))
	}
}

func process(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role, folderVariable+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// writeForever appends from sixteen goroutines and says on the standard output
// what it was told is on the disk.
func writeForever(dir string) int {
	l, err := audit.Open(audit.Config{Dir: dir, SegmentSize: 50_000})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := 0; ; j++ {
				name := fmt.Sprintf("p%d-%d-%d", os.Getpid(), i, j)
				if err := l.Append(context.Background(), record(name)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				if _, err := fmt.Println(name); err != nil { // one write to the pipe
					return
				}
			}
		})
	}
	wg.Wait()
	return 1 // it ends by being killed only
}

func TestNothingThatWasAnsweredIsMissingAfterKill9(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	answered := map[string]bool{}
	for range 3 {
		var commands []*exec.Cmd
		var outputs []io.Reader
		for range 2 { // two processes on one log
			cmd := process(t, "writer", dir)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			commands, outputs = append(commands, cmd), append(outputs, out)
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i, out := range outputs {
			wg.Go(func() {
				lines := bufio.NewScanner(out)
				for n := 1; lines.Scan(); n++ {
					mu.Lock()
					answered[lines.Text()] = true
					mu.Unlock()
					if n == 200 {
						_ = commands[i].Process.Kill() // what it said before is still in the pipe
					}
				}
			})
		}
		wg.Wait()
		for _, cmd := range commands {
			if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Errorf("a writer ended otherwise: %v", err)
			}
		}
	}
	if len(answered) < 6*200 {
		t.Fatalf("only %d were answered", len(answered))
	}
	l := open(t, audit.Config{Dir: dir})
	head := l.Head()
	verified(t, dir, &head)
	var all bytes.Buffer
	if err := audit.Tail(t.Context(), audit.View{Dir: dir, Lines: 1 << 20, JSON: true}, &all); err != nil {
		t.Fatal(err)
	}
	for name := range answered {
		if n := strings.Count(all.String(), `"detail":"`+name+`"}`); n != 1 {
			t.Errorf("%s was answered and is there %d times", name, n)
		}
	}
}

// fillTheDisk appends until the system lets files grow no more, then with room
// again.
func fillTheDisk(dir string) int {
	signal.Ignore(syscall.SIGXFSZ)
	fail := func(err error) int { fmt.Fprintln(os.Stderr, err); return 1 }
	l, err := audit.Open(audit.Config{Dir: dir})
	if err != nil {
		return fail(err)
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return fail(err)
	}
	full := was
	full.Cur = 5_100 // in the middle of some line
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		return fail(err)
	}
	written, refused := 0, 0
	for i := 0; refused < 3 && i < 100; i++ {
		err := l.Append(context.Background(), record(fmt.Sprintf("full-%d", i)))
		switch {
		case err == nil:
			written++
		case !errors.Is(err, syscall.EFBIG):
			return fail(err)
		default:
			refused++
		}
	}
	if written == 0 || refused < 3 || l.Head().Seq != uint64(written) {
		return fail(fmt.Errorf("%d written, %d refused, head %+v", written, refused, l.Head()))
	}
	if report, err := audit.Verify(dir, nil); err != nil || report.Head != l.Head() || report.Unterminated != 0 {
		return fail(fmt.Errorf("while the disk is full: %+v, %w", report, err))
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return fail(err)
	}
	if err := l.Append(context.Background(), record("room again")); err != nil {
		return fail(err)
	}
	if l.Head().Seq != uint64(written)+1 {
		return fail(fmt.Errorf("head %+v after %d records", l.Head(), written+1))
	}
	return 0
}

func TestAFullDiskRefusesAndLeavesNoHole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := process(t, "full", dir).Run(); err != nil {
		t.Fatal(err)
	}
	verified(t, dir, nil)
	if !strings.Contains(text(t, dir, 1), "room again") {
		t.Error("with room again nothing was written")
	}
}
