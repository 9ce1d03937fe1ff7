package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"portcullis/certs"
)

// patience bounds the wait for another process; reaching it is a failure.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"authserver": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			files, err := devCerts(filepath.Join(e.WorkDir, "certs"))
			if err != nil {
				return err
			}
			ports, err := freePorts(2)
			if err != nil {
				return err
			}
			e.Setenv("ADDR", "localhost:"+ports[0])
			e.Setenv("OPS", "127.0.0.1:"+ports[1])
			e.Setenv("AUTHSERVER_URL", "https://localhost:"+ports[0])
			e.Setenv("CA_FILE", files.CA)
			e.Setenv("CERTS", "--cert="+files.Cert)
			e.Setenv("KEYS", "--key="+files.Key)
			e.Setenv("GORACE", "atexit_sleep_ms=0") // a second at the end of each command otherwise
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"retry": retry, "ready": ready, "metric": metric, "signal": sendSignal, "mode": mode, "setenvfile": setenvFile,
			"keys": keysAre, "kid": kid, "listening": listening,
		},
	})
}

// devCerts makes an authority and a certificate for the service.
func devCerts(dir string) (certs.Files, error) {
	authority, err := certs.Dev(dir, time.Now())
	if err != nil {
		return certs.Files{}, err
	}
	files, err := authority.Leaf("authserver", time.Now())
	if err != nil {
		return certs.Files{}, err
	}
	files.CA = authority.CA()
	return files, nil
}

// freePorts names ports that nobody listens on now.
func freePorts(n int) (ports []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// until asks again and again whether something has happened.
func until(happened func() bool) bool {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	end := time.After(patience)
	for !happened() {
		select {
		case <-again.C:
		case <-end:
			return false
		}
	}
	return true
}

// retry runs a command until it succeeds, or until it fails with "!".
func retry(ts *testscript.TestScript, neg bool, args []string) {
	if !until(func() bool { return (ts.Exec(args[0], args[1:]...) == nil) != neg }) {
		ts.Fatalf("%s: never as wanted", strings.Join(args, " "))
	}
}

// ready waits until the process with this ops address is ready.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready ADDRESS")
	}
	if !until(func() bool { return isReady(args[0]) }) {
		ts.Fatalf("%s is not ready after %v", args[0], patience)
	}
}

func isReady(ops string) bool {
	_, ok := fetch("http://" + ops + "/readyz")
	return ok
}

// metric waits until the process at an ops address shows this line.
func metric(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: metric ADDRESS LINE")
	}
	if !until(func() bool { return showsMetric(args[0], args[1]) }) {
		ts.Fatalf("%s never shows %q", args[0], args[1])
	}
}

func showsMetric(ops, line string) bool {
	text, ok := fetch("http://" + ops + "/metrics")
	return ok && slices.Contains(strings.Split(text, "\n"), line)
}

// fetch gets a page of the ops port.
func fetch(url string) (text string, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", false
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err == nil && res.StatusCode == http.StatusOK
}

// sendSignal sends HUP or TERM to the process in the background.
func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	known := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM}
	background := ts.BackgroundCmds()
	if neg || len(args) != 1 || known[args[0]] == nil || len(background) != 1 {
		ts.Fatalf("usage: signal HUP|TERM, with one process in the background")
	}
	ts.Check(background[0].Process.Signal(known[args[0]]))
}

// mode checks a file's permissions.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); (got == args[0]) == neg {
		ts.Fatalf("%s has mode %s", args[1], got)
	}
}

// setenvFile sets a variable to a file's text.
func setenvFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setenvfile VARIABLE FILE")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}
