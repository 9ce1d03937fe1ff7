package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// How long things may take. A gateway drains for sixteen seconds at most.
const (
	readyTimeout = time.Minute
	readyEvery   = 50 * time.Millisecond
	stopTimeout  = 20 * time.Second
)

// supervisor starts processes in order, watches them and stops them in the
// reverse order. It must stay on one thread while children live: Linux ties the
// signal for a parent's death to the thread that started the child.
type supervisor struct {
	log      func(name string) string // the log file of a process
	env      []string
	out      io.Writer
	children []*child
	died     chan *child
}

// up starts the processes, each once the one before it is ready. It returns
// early when ctx ends or a process dies.
func (s *supervisor) up(ctx context.Context, commands []command) error {
	s.died = make(chan *child, len(commands))
	for _, c := range commands {
		fmt.Fprintf(s.out, "starting %s\n", c.name)
		p, err := launch(c, s.log(c.name), s.env)
		if err != nil {
			return err
		}
		s.children = append(s.children, p)
		go func() {
			<-p.done
			s.died <- p
		}()
		if err := s.ready(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until p says it is.
func (s *supervisor) ready(ctx context.Context, p *child) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout,
		fmt.Errorf("%s is not ready after %v; see %s", p.name, readyTimeout, s.log(p.name)))
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 3 * time.Second}
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		if isReady(ctx, client, "http://"+p.ops+"/readyz") {
			return nil
		}
		select {
		case <-tick.C:
		case dead := <-s.died:
			return s.mourn(dead)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func isReady(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// watch waits until ctx ends, and returns nil then, or until a process dies.
// Once a day it calls daily.
func (s *supervisor) watch(ctx context.Context, daily func()) error {
	day := time.NewTicker(24 * time.Hour)
	defer day.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case dead := <-s.died:
			return s.mourn(dead)
		case <-day.C:
			daily()
		}
	}
}

func (s *supervisor) mourn(p *child) error {
	return fmt.Errorf("%w\n  its log: %s", p.ended(), s.log(p.name))
}

// down stops what runs, the last started first: the gateway drains while all
// that it needs is still there.
func (s *supervisor) down() error {
	var failed []error
	for i := len(s.children) - 1; i >= 0; i-- {
		p := s.children[i]
		select {
		case <-p.done:
			continue // it has been reported
		default:
		}
		fmt.Fprintf(s.out, "stopping %s\n", p.name)
		failed = append(failed, p.stop(stopTimeout))
	}
	return errors.Join(failed...)
}
