package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// child is a running process of the system. It leads a process group of its
// own, so that Ctrl-C reaches the supervisor alone and it can stop its children
// in order.
type child struct {
	command
	cmd  *exec.Cmd
	last *tail
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read after done
}

// launch starts c. Its events and its diagnostics go to the log file, which
// begins anew with each start: that is what bounds it.
func launch(c command, log string, env []string) (*child, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the child has its own by then; so has the tail
	last, err := newTail(log)
	if err != nil {
		return nil, err
	}
	p := &child{command: c, cmd: exec.Command(c.args[0], c.args[1:]...), last: last, done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout = file
	p.cmd.Stderr = last
	p.cmd.SysProcAttr = ownGroup()
	p.cmd.WaitDelay = time.Second // a grandchild that keeps stderr open must not hide the end
	if err := p.cmd.Start(); err != nil {
		last.close()
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		last.close()
		close(p.done)
	}()
	return p, nil
}

// ended is the reason why it ended, for people; only after done.
func (p *child) ended() error {
	how := "exit code 0"
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
		how = exit.ProcessState.String() // "exit status 2", "signal: killed"
	} else if p.err != nil {
		how = p.err.Error()
	}
	text := fmt.Sprintf("%s ended: %s", p.name, how)
	if said := p.last.text(); said != "" {
		text += "; the last it said:\n" + said
	}
	return errors.New(text)
}

// stop asks it to drain and waits; what takes longer than patience is killed,
// with all it may have started. It returns nil for a clean end.
func (p *child) stop(patience time.Duration) error {
	// An error here means that it is gone already, which Wait tells.
	_ = syscall.Kill(p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("%s did not drain within %v and was killed", p.name, patience)
	}
	if p.err != nil {
		return p.ended()
	}
	return nil
}
