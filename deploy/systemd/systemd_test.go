// Package systemd_test holds the units to what systemd itself says of them, with
// no systemd running.
package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// most is how exposed a service may be by systemd-analyze's count, in tenths.
const most = "20"

func units(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.service")
	if err != nil || len(files) != 2 {
		t.Fatalf("the units are %q, %v", files, err)
	}
	return files
}

func analyze(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Fatalf("%v: deploy/prepare.sh installs it", err)
	}
	cmd := exec.Command("systemd-analyze", append([]string{"--no-pager"}, args...)...)
	said, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(said), cmd.ProcessState.ExitCode()
}

func TestUnitsAreHardened(t *testing.T) {
	t.Parallel()
	for _, unit := range units(t) {
		if out, code := analyze(t, "security", "--offline=true", "--threshold="+most, unit); code != 0 {
			t.Errorf("%s is exposed by more than %s tenths:\n%s", unit, most, out)
		}
	}
}

// installed is a copy of a unit whose program is there.
func installed(t *testing.T, unit string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	const place = "/usr/local/bin/"
	if !strings.Contains(string(text), "ExecStart="+place+strings.TrimSuffix(unit, ".service")+" serve") {
		t.Fatalf("%s does not start its program", unit)
	}
	program := filepath.Join(dir, strings.TrimSuffix(unit, ".service"))
	if err := os.WriteFile(program, []byte("#!/bin/true\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	path := filepath.Join(dir, unit)
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), place, dir+"/")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnitsHaveNoMistakes(t *testing.T) {
	t.Parallel()
	for _, unit := range units(t) {
		path := installed(t, unit)
		if out, code := analyze(t, "verify", "--man=no", path); code != 0 || strings.TrimSpace(out) != "" {
			t.Errorf("%s: exit code %d: %s", unit, code, out)
		}
		// The tool would see one.
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), "ProtectHome", "ProtectHoem", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, _ := analyze(t, "verify", "--man=no", path); !strings.Contains(out, "ProtectHoem") {
			t.Errorf("%s: a mistake is not seen: %s", unit, out)
		}
	}
}

// A flag that a program does not have would be noticed on the day of the
// installation.
func TestUnitsUseFlagsThatThereAre(t *testing.T) {
	t.Parallel()
	for _, unit := range units(t) {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		_, start, _ := strings.Cut(string(text), "\nExecStart=")
		start, _, _ = strings.Cut(strings.ReplaceAll(start, "\\\n", " "), "\n")
		program := strings.TrimSuffix(unit, ".service")
		pkg := "portcullis/" + program
		cmd := exec.Command("go", "run", "-tags", "coraza.rule.case_sensitive_args_keys", pkg, "serve", "--help")
		help, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s serve --help: %v\n%s", program, err, help)
		}
		flags := 0
		for word := range strings.FieldsSeq(start) {
			if strings.HasPrefix(word, "--") {
				flags++
				if !strings.Contains(string(help), " "+word+" ") {
					t.Errorf("%s: %s serve has no flag %s", unit, program, word)
				}
			}
		}
		if flags < 5 {
			t.Errorf("%s: only %d flags were found in %q", unit, flags, start)
		}
	}
}
