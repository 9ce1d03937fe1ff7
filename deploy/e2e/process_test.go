package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one program of ours under test.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error

	mu     sync.Mutex
	stderr bytes.Buffer
}

// launch starts a program; stdout goes to a file in dir, stderr is kept and
// shown when the test fails.
func launch(t *testing.T, dir, name string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, done: make(chan struct{})}
	out, err := os.OpenFile(filepath.Join(dir, name+".out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	p.start(env, out, filepath.Join(bin, args[0]), args[1:]...)
	_ = out.Close() // the child has its own
	return p
}

// start runs the program with stdout as given.
func (p *process) start(env []string, stdout *os.File, path string, args ...string) {
	p.t.Helper()
	p.cmd = exec.Command(path, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = stdout, p
	// Should the suite be killed, its children go too.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	p.t.Cleanup(func() {
		p.kill()
		if p.t.Failed() {
			p.t.Logf("--- %s said:\n%s", p.name, p.tail())
		}
		if strings.Contains(p.said(), "WARNING: DATA RACE") {
			p.t.Errorf("%s has a data race:\n%s", p.name, p.said())
		}
	})
}

// Write keeps what the program says on stderr.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Write(b)
}

// said is all of stderr so far.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

func (p *process) tail() string {
	text := p.said()
	if most := 4000; len(text) > most {
		text = "..." + text[len(text)-most:]
	}
	return text
}

// signal sends a signal to the process.
func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signalling %s: %v", p.name, err)
	}
}

// kill ends the process at once, as a crash would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// exits waits for the end and gives the exit code.
func (p *process) exits() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s did not end within %s", p.name, patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// patience bounds what would wait for ever; reaching it is a failure. It tells
// nothing of how fast anything is: a machine may be slow, and busy with others.
const patience = 2 * time.Minute

// until polls a condition of another process until it holds; real processes
// have no virtual time. It waits for as long as given, and for patience at least.
func until(t *testing.T, what string, within time.Duration, holds func() bool) {
	t.Helper()
	within = max(within, patience)
	deadline := time.After(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %s in vain: %s", within, what)
		}
	}
}
