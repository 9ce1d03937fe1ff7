package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The exit code is what a pull request's gate sees.
func TestDiffExits(t *testing.T) {
	t.Parallel()
	const shipped = "../policies"
	edited := func(from, to string) string {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(shipped)); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, "routes", "reservations.yaml")
		data, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(data), from) {
			t.Fatalf("the shipped policies do not hold %q: %v", from, err)
		}
		if err := os.WriteFile(name, []byte(strings.Replace(string(data), from, to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for name, c := range map[string]struct {
		old, new string
		want     int
	}{
		"0 when nothing changes":                          {shipped, shipped, 0},
		"0 when it only narrows":                          {shipped, edited("body: 4KiB", "body: 2KiB"), 0},
		"1 when it widens":                                {shipped, edited("body: 4KiB", "body: 8KiB"), 1},
		"1 when nothing shows that it does not":           {shipped, edited("upstream: reservations", "upstream: search"), 1},
		"2 when the new side has mistakes":                {shipped, edited("body: 4KiB", "body: 4"), 2},
		"2 when the old side has mistakes, whatever else": {edited("body: 4KiB", "body: 4"), shipped, 2},
		"2 when there is nothing to read":                 {filepath.Join(shipped, "nowhere"), shipped, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := run(t.Context(), []string{"diff", c.old, c.new}, io.Discard, io.Discard); got != c.want {
				t.Errorf("it exits %d, want %d", got, c.want)
			}
		})
	}
}
