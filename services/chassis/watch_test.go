package chassis_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"portcullis/services/chassis"
)

// watch starts a Watch on a fresh folder and gives the channel of its calls.
func watch(t *testing.T, now <-chan os.Signal) (dir string, changed <-chan string) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), "one")
	calls := make(chan string, 16)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	before := chassis.Fingerprint(dir)
	go func() {
		defer close(done)
		chassis.Watch{
			Dir: dir, Since: before, Quiet: 20 * time.Millisecond, Poll: 50 * time.Millisecond, Now: now,
			Changed: func(reason string) { calls <- reason }, Log: slog.New(slog.DiscardHandler),
		}.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return dir, calls
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWatchCallsWhenAFileChanges(t *testing.T) {
	t.Parallel()
	now := make(chan os.Signal)
	dir, changed := watch(t, now)
	now <- os.Interrupt
	if got := <-changed; got != "signal" {
		t.Fatalf("first call: %q, want signal", got)
	}
	write(t, filepath.Join(dir, "a.yaml"), "two")
	if got := <-changed; got != "files changed" {
		t.Errorf("after an edit: %q, want files changed", got)
	}
}

// TestAnEditBeforeTheWatchBeganIsNotLost: a program reads its files, starts, and
// only then watches them.
func TestAnEditBeforeTheWatchBeganIsNotLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), "one")
	before := chassis.Fingerprint(dir)
	write(t, filepath.Join(dir, "a.yaml"), "two")
	calls := make(chan string, 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		chassis.Watch{
			Dir: dir, Since: before, Quiet: 20 * time.Millisecond, Poll: time.Hour,
			Changed: func(reason string) { calls <- reason }, Log: slog.New(slog.DiscardHandler),
		}.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case <-calls:
	case <-time.After(time.Minute):
		t.Error("the edit was lost")
	}
}

func TestWatchSeesAConfigMapSwap(t *testing.T) {
	t.Parallel()
	now := make(chan os.Signal)
	dir, changed := watch(t, now)
	link := func(version, text string) {
		data := filepath.Join(dir, ".."+version)
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(data, "b.yaml"), text)
		if err := os.Symlink(data, filepath.Join(dir, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	link("v1", "one")
	if err := os.Symlink(filepath.Join("..data", "b.yaml"), filepath.Join(dir, "b.yaml")); err != nil {
		t.Fatal(err)
	}
	now <- os.Interrupt
	// The set-up may have been reported before. Only once the signal has been is
	// it sure that the swap is not taken for part of what the signal found.
	await(t, changed, "signal")
	link("v2", "two")
	await(t, changed, "files changed")
}

// await reads calls until the one that is wanted.
func await(t *testing.T, changed <-chan string, want string) {
	t.Helper()
	end := time.After(time.Minute)
	for {
		select {
		case got := <-changed:
			if got == want {
				return
			}
		case <-end:
			t.Fatalf("no call %q", want)
		}
	}
}

// TestNothingInTheFolderEndsTheWatch puts into the folder what cannot be read
// as a file. The watch reports each, and still sees the edit after it.
func TestNothingInTheFolderEndsTheWatch(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(path string) error{
		"a pipe that nobody writes to": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a link to a pipe": func(path string) error {
			pipe := filepath.Join(t.TempDir(), "pipe")
			return errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink(pipe, path))
		},
		"a link to a folder": func(path string) error { return os.Symlink(t.TempDir(), path) },
		"a link to nowhere":  func(path string) error { return os.Symlink("/nowhere", path) },
		"a link to itself":   func(path string) error { return os.Symlink(filepath.Base(path), path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := make(chan os.Signal)
			dir, changed := watch(t, now)
			now <- os.Interrupt
			seen := func(what string) {
				t.Helper()
				select {
				case <-changed:
				case <-time.After(time.Minute):
					t.Fatalf("%s is not seen", what)
				}
			}
			seen("a signal")
			if err := attack(filepath.Join(dir, "b.yaml")); err != nil {
				t.Fatal(err)
			}
			seen(name)
			write(t, filepath.Join(dir, "a.yaml"), "two")
			seen("an edit beside it")
		})
	}
}
