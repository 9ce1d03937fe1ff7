package main

import (
	"context"
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/gateway/internal/edge"
	"portcullis/services/chassis"
)

// alertBuffer is how many bytes of security events wait for a slow disk. One has
// a few hundred bytes, and some tens of thousands at most.
const alertBuffer = 4 << 20

// alerts is where security events go: beside the other events, or into a file of
// their own. close writes what is left.
func (s serving) alerts(ctx context.Context, events edge.Events, registry prometheus.Registerer) (to edge.Events, close func(), err error) {
	if s.securityEvents == "" {
		return events, func() {}, nil
	}
	file, err := openAppended(s.securityEvents)
	if err != nil {
		return nil, nil, fmt.Errorf("--security-events: %w", err)
	}
	w := chassis.NewEventWriter(file, alertBuffer)
	err = registry.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "portcullis_security_events_dropped_total",
		Help: "Security events lost because the file of --security-events was too slow, or could not be written.",
	}, func() float64 { return float64(w.Dropped()) }))
	if err != nil {
		return nil, nil, err
	}
	go func() { _ = w.Run(context.WithoutCancel(ctx)) }()
	return w, func() { _ = w.Close() }, nil
}

// appended is a file that only grows. When it is moved away, as log rotation
// does, the next write makes a new one. One goroutine writes.
type appended struct {
	path string
	file *os.File
}

// openAppended opens or makes the file, for this user only.
func openAppended(path string) (*appended, error) {
	if info, err := os.Stat(path); err == nil && (info.IsDir() || info.Mode()&os.ModeNamedPipe != 0) {
		return nil, fmt.Errorf("%q is a folder or a pipe; write the path of a file", path) // opening a pipe waits for its reader
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &appended{path: path, file: file}, nil
}

func (a *appended) Write(lines []byte) (int, error) {
	if !a.current() {
		if next, err := openAppended(a.path); err == nil { // else the old one takes them
			_ = a.file.Close()
			a.file = next.file
		}
	}
	return a.file.Write(lines)
}

// current reports whether the path still names the file.
func (a *appended) current() bool {
	named, err := os.Stat(a.path)
	if err != nil {
		return false
	}
	open, err := a.file.Stat()
	return err == nil && os.SameFile(named, open)
}
