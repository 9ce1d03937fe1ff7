package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The processes of these tests are this test binary under other names: they
// can be told to die, or not to hear, as the real programs cannot.
func TestMain(m *testing.M) {
	if journal := os.Getenv("STANDIN_JOURNAL"); journal != "" {
		os.Exit(standIn(journal))
	}
	os.Exit(m.Run())
}

// standIn is ready at once, and notes in the journal when it starts and stops.
// STANDIN_NAME=behaviour makes the process of that name dies or deaf.
func standIn(journal string) int {
	name := filepath.Base(os.Args[0])
	if name == "hotel" {
		name = os.Args[1]
	}
	note := func(what string) {
		f, err := os.OpenFile(journal, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			fmt.Fprintln(f, what, name)
			f.Close()
		}
	}
	after := func(flag string) string {
		if i := slices.Index(os.Args, flag); i >= 0 {
			return os.Args[i+1]
		}
		return ""
	}
	if slices.Contains(os.Args, "secret") {
		if file := after("--check"); file != "" {
			if text, err := os.ReadFile(file); err != nil || string(text) != "good\n" {
				return 1
			}
			return 0
		}
		note("secret")
		if err := os.WriteFile(after("--out"), []byte("good\n"), 0o600); err != nil {
			return 1
		}
		return 0
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	l, err := net.Listen("tcp", after("--ops"))
	if err != nil {
		return 1
	}
	go http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	note("start")
	switch os.Getenv("STANDIN_" + strings.ToUpper(name)) {
	case "dies":
		fmt.Fprintln(os.Stderr, "the cellar is under water")
		return 3
	case "deaf":
		select {}
	}
	<-signals
	note("stop")
	return 0
}

// world is a folder with stand-ins, and settings for it.
func world(t *testing.T) (settings, string) {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := settings{
		bin: filepath.Join(dir, "bin"), policies: dir, certs: filepath.Join(dir, "certs"), run: filepath.Join(dir, "run"), base: freeBase(t),
	}
	if err := os.Mkdir(s.bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"authserver", "hotel", "gateway"} {
		if err := os.Symlink(self, s.program(name)); err != nil {
			t.Fatal(err)
		}
	}
	journal := filepath.Join(dir, "journal")
	t.Setenv("STANDIN_JOURNAL", journal)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // a second for each of a dozen processes otherwise
	return s, journal
}

// freeBase finds a base all of whose ports are free.
func freeBase(t *testing.T) base {
	t.Helper()
	for b := base(21000 + os.Getpid()%1000*10); b < maxBase; b += 2000 {
		if (settings{base: b}).freePorts() == nil {
			return b
		}
	}
	t.Fatal("no free ports")
	return 0
}

// runUntil runs the system until it has written its environment, then ends it.
func runUntil(t *testing.T, s settings) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.system(ctx, io.Discard) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if _, err := os.Stat(s.envFile()); err == nil {
				cancel()
				return <-done
			}
		}
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func TestTheSystemStartsInOrderAndDrainsInReverse(t *testing.T) {
	s, journal := world(t)
	if err := runUntil(t, s); err != nil {
		t.Fatal(err)
	}
	want := slices.Repeat([]string{"secret authserver"}, len(clientNames()))
	for _, name := range serviceNames() {
		want = append(want, "start "+name)
	}
	for _, name := range slices.Backward(serviceNames()) {
		want = append(want, "stop "+name)
	}
	if got := lines(t, journal); !slices.Equal(got, want) {
		t.Errorf("journal:\n%s", strings.Join(got, "\n"))
	}
	info, err := os.Stat(s.envFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("environment file: %v, %v", info.Mode(), err)
	}
}

func TestStartingAgainKeepsSecretsThatWork(t *testing.T) {
	s, journal := world(t)
	if err := runUntil(t, s); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(journal); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.secret("demo"), []byte("stale\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.envFile()); err != nil {
		t.Fatal(err)
	}
	if err := runUntil(t, s); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, journal); got[0] != "secret authserver" || got[1] != "start sandbox" {
		t.Errorf("want one new secret, for demo alone:\n%s", strings.Join(got, "\n"))
	}
}

func TestAProcessThatDiesIsNamedAndTheRestStopped(t *testing.T) {
	s, journal := world(t)
	t.Setenv("STANDIN_RESERVATIONS", "dies")
	err := runUntil(t, s)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"reservations ended: exit status 3", "the cellar is under water", s.log("reservations")} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	got := lines(t, journal)
	if tail := got[len(got)-3:]; !slices.Equal(tail, []string{"stop reporting", "stop authserver", "stop sandbox"}) {
		t.Errorf("journal:\n%s", strings.Join(got, "\n"))
	}
	if _, err := os.Stat(s.envFile()); err == nil {
		t.Error("the environment file says that the system is up")
	}
}

func TestAProcessThatDoesNotHearIsKilled(t *testing.T) {
	s, _ := world(t)
	t.Setenv("STANDIN_SEARCH", "deaf")
	if err := s.folders(); err != nil {
		t.Fatal(err)
	}
	ops := s.base.address(searchOps)
	p, err := launch(command{"search", []string{s.program("hotel"), "search", "--ops", ops}, ops}, s.log("search"), nil)
	if err != nil {
		t.Fatal(err)
	}
	up := &supervisor{log: s.log, died: make(chan *child)}
	if err := up.ready(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := p.stop(100 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "search did not drain within 100ms and was killed") {
		t.Errorf("error %v", err)
	}
}

func TestNothingIsStartedWhenAPortIsTaken(t *testing.T) {
	s, journal := world(t)
	l, err := net.Listen("tcp", "127.0.0.1:"+strings.TrimPrefix(s.base.address(gatewayOps), "localhost:"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = runUntil(t, s)
	if err == nil || !strings.Contains(err.Error(), "PORT_BASE") || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(journal); err == nil {
		t.Errorf("something was started:\n%s", strings.Join(lines(t, journal), "\n"))
	}
}

func TestTwoSystemsDoNotShareAFolder(t *testing.T) {
	s, _ := world(t)
	if err := s.folders(); err != nil {
		t.Fatal(err)
	}
	held, err := s.lock()
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := runUntil(t, s); err == nil || !strings.Contains(err.Error(), "already runs") {
		t.Errorf("error %v", err)
	}
}

// A shell gets back exactly what was written, whatever is in it.
func TestTheEnvironmentSurvivesAShell(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	value := `it's "$HOME" \ $(id); ` + "`id` #"
	if err := writeEnv(file, []variable{{"ODD", value}}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", `. "$0"; exec printenv ODD`, file).CombinedOutput()
	if err != nil || string(out) != value+"\n" {
		t.Errorf("the shell sees %q, %v", out, err)
	}
}

func TestCommandsToPasteAreShell(t *testing.T) {
	for _, s := range []settings{{bin: "bin", run: ".run"}, {bin: "my bin", run: "/tmp/it's"}} {
		for _, try := range s.tries() {
			if out, err := exec.Command("sh", "-n", "-c", try.command).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", try.command, err, out)
			}
		}
	}
}

func TestThePortsMoveTogether(t *testing.T) {
	for _, c := range []struct {
		text, gateway, ops string
		ok                 bool
	}{
		{"", "localhost:8443", "localhost:9901", true},
		{"20000", "localhost:20443", "localhost:21901", true},
		{"63000", "localhost:63443", "localhost:64901", true},
		{"63001", "", "", false},
		{"999", "", "", false},
		{"8443x", "", "", false},
	} {
		b, err := parseBase(c.text)
		if (err == nil) != c.ok {
			t.Errorf("%q: %v", c.text, err)
		}
		if c.ok && (b.address(gatewayPort) != c.gateway || b.address(gatewayOps) != c.ops) {
			t.Errorf("%q: %s %s", c.text, b.address(gatewayPort), b.address(gatewayOps))
		}
	}
}
