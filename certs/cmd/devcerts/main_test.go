package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestItMakesWhatItIsAskedForAndNamesIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dev")
	var out, diagnostics bytes.Buffer
	if code := run([]string{"-dir", dir, "gateway", "search"}, &out, &diagnostics); code != 0 {
		t.Fatalf("exit %d: %s", code, diagnostics.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Errorf("not one line each:\n%s", out.String())
	}
	for _, name := range []string{"ca.pem", "gateway.pem", "gateway.key", "search.pem", "search.key"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestMistakesOnTheCommandLineAreExplained(t *testing.T) {
	for _, c := range []struct {
		name, says string
		args       []string
		code       int
	}{
		{"no names", "usage:", nil, 2},
		{"an unknown flag", "usage:", []string{"-what"}, 2},
		{"a name that is none", `"../x" cannot name a certificate`, []string{"-dir", t.TempDir(), "../x"}, 1},
		{"a folder that cannot be", "making the folder", []string{"-dir", "/dev/null/x", "x"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, diagnostics bytes.Buffer
			if code := run(c.args, &out, &diagnostics); code != c.code || !strings.Contains(diagnostics.String(), c.says) {
				t.Errorf("exit %d, %q", code, diagnostics.String())
			}
		})
	}
}
