package chassis_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"portcullis/services/chassis"
)

// hangs makes the test binary a process that never finishes its drain.
const hangs = "CHASSIS_TEST_HANGS"

func TestTheSecondSignalEndsAProcessThatHangs(t *testing.T) {
	if os.Getenv(hangs) != "" {
		ctx, stop := chassis.Signals(t.Context())
		defer stop()
		fmt.Println("up")
		<-ctx.Done()
		fmt.Println("draining")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the other process has gone
		return
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$")
	p.Env = append(os.Environ(), hangs+"=1")
	held, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	for _, step := range []struct {
		want string
		then syscall.Signal
	}{{"up", syscall.SIGINT}, {"draining", syscall.SIGTERM}} {
		if !said.Scan() || said.Text() != step.want {
			t.Fatalf("the process says %q, want %q: %v", said.Text(), step.want, said.Err())
		}
		if err := p.Process.Signal(step.then); err != nil {
			t.Fatal(err)
		}
	}
	err = p.Wait()
	if state, ok := p.ProcessState.Sys().(syscall.WaitStatus); !ok || !state.Signaled() || state.Signal() != syscall.SIGTERM {
		t.Errorf("the process ended with %v, want the second signal", err)
	}
}
