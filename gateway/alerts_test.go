package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAFileThatOnlyGrows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "alerts.log")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := openAppended(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { a.file.Close() }()
	say := func(line string) {
		t.Helper()
		if _, err := a.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(path, want string) {
		t.Helper()
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s holds %q, want %q (%v)", filepath.Base(path), got, want, err)
		}
	}
	say("one\n")
	holds(path, "before\none\n")
	if err := os.Rename(path, path+".1"); err != nil { // as log rotation does
		t.Fatal(err)
	}
	say("two\n")
	holds(path+".1", "before\none\n")
	holds(path, "two\n")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v %v", info.Mode(), err)
	}
	// Where no new one can be made, the old one goes on.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	say("three\n")
}

func TestSecurityEventsGoIntoFilesOnly(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, t.TempDir(), filepath.Join(pipe, "none")} {
		if _, err := openAppended(path); err == nil {
			t.Errorf("%q is taken", path)
		}
	}
}
