package main

import (
	"bufio"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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

// With -update the scripts' expected outputs are written anew; a change in them
// is a change of behaviour.
var update = flag.Bool("update", false, "rewrite what scripts expect")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gateway": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		Setup:         setup,
		UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ask": ask, "plain": plain, "busy": busy, "ops": opsShows, "signal": sendSignal,
		},
	})
}

// setup gives a script certificates, free ports and a service to forward to.
func setup(e *testscript.Env) error {
	authority, err := certs.Dev(filepath.Join(e.WorkDir, "certs"), time.Now())
	if err != nil {
		return err
	}
	files, err := authority.Leaf("gateway", time.Now())
	if err != nil {
		return err
	}
	public, err := freePort()
	if err != nil {
		return err
	}
	private, err := freePort()
	if err != nil {
		return err
	}
	clear, err := freePort()
	if err != nil {
		return err
	}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "the service saw %s\n", r.URL.Path)
		if tenant := r.Header.Get("X-Tenant"); tenant != "" {
			fmt.Fprintf(w, "for %s, by %s\n", tenant, r.Header.Get("Authorization"))
		}
	}))
	e.Defer(backend.Close)
	for name, value := range map[string]string{
		"CERT": "--cert=" + files.Cert, "KEY": "--key=" + files.Key, "CA": files.CA,
		"ADDR": "localhost:" + public, "OPS": "127.0.0.1:" + private, "HTTP": "127.0.0.1:" + clear, "BACKEND": backend.URL,
		"GORACE": "atexit_sleep_ms=0", // a second at the end of each command otherwise
	} {
		e.Setenv(name, value)
	}
	return nil
}

// freePort names a port that nobody listens on now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// busy takes a port until the script ends and names it in a variable.
func busy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: busy VARIABLE")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// ask sends a request with a target of any kind and further fields to $ADDR over
// HTTPS, and prints the answer. A variable takes its request id.
func ask(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: ask METHOD TARGET [NAME:VALUE...] [VARIABLE]")
	}
	trust, err := certs.NewClient(certs.ClientConfig{Files: certs.Files{CA: ts.Getenv("CA")}})
	ts.Check(err)
	config := trust.Client()
	config.ServerName = "127.0.0.1" // an address is not sent: any Host may follow
	conn, err := tls.Dial("tcp", ts.Getenv("ADDR"), config)
	ts.Check(err)
	defer conn.Close()
	exchange(ts, conn, args)
}

// plain does so over plain HTTP at $HTTP.
func plain(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: plain METHOD TARGET [NAME:VALUE...]")
	}
	conn, err := net.Dial("tcp", ts.Getenv("HTTP"))
	ts.Check(err)
	defer conn.Close()
	exchange(ts, conn, args)
}

// exchange sends the request that args make, to localhost where they name no
// host, and prints the answer; see ask.
func exchange(ts *testscript.TestScript, conn net.Conn, args []string) {
	ts.Check(conn.SetDeadline(time.Now().Add(patience)))
	var variable string
	fields := args[2:]
	if n := len(fields); n > 0 && !strings.Contains(fields[n-1], ":") {
		variable, fields = fields[n-1], fields[:n-1]
	}
	if !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, "Host:") }) {
		fields = append([]string{"Host: localhost"}, fields...)
	}
	_, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\n%s\r\nConnection: close\r\n\r\n", args[0], args[1], strings.Join(fields, "\r\n"))
	ts.Check(err)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: args[0]})
	ts.Check(err)
	defer res.Body.Close()
	if variable != "" {
		ts.Setenv(variable, res.Header.Get("X-Request-Id"))
	}
	ts.Check(res.Write(ts.Stdout()))
}

// opsShows waits until a page of the ops port shows this line with this status.
func opsShows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: ops PATH STATUS LINE")
	}
	var last string
	if !until(func() bool {
		res, err := http.Get("http://" + ts.Getenv("OPS") + args[0])
		if err != nil {
			return false
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		last = fmt.Sprint(res.StatusCode, " ", string(body))
		return err == nil && fmt.Sprint(res.StatusCode) == args[1] && slices.Contains(strings.Split(string(body), "\n"), args[2])
	}) {
		ts.Fatalf("%s never shows %q; it showed %s", args[0], args[2], last)
	}
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

// until asks again and again whether something has happened.
func until(happened func() bool) bool {
	again := time.NewTicker(20 * time.Millisecond)
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
