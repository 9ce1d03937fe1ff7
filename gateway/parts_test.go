package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheSecretIsReadAnewEachTime(t *testing.T) {
	t.Parallel()
	file := secretFile(t, "first\n")
	id := identity{secretFile: file}
	if got, err := id.secret(); err != nil || got != "first" {
		t.Fatalf("got %q, %v", got, err)
	}
	if err := os.WriteFile(file, []byte("second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := id.secret(); err != nil || got != "second" {
		t.Errorf("got %q, %v after the secret was rotated", got, err)
	}
}

func TestASecretThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"one secret on one line":       secretFile(t, " \n"),
		"reading --client-secret-file": filepath.Join(t.TempDir(), "gone"),
	} {
		if got, err := (identity{secretFile: file}).secret(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %q, %v; want %q", got, err, name)
		}
	}
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
