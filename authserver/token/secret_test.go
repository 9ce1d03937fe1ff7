package token_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portcullis/authserver/token"
)

func TestASecretIsTheOneLineOfItsFile(t *testing.T) {
	t.Parallel()
	const canary = "pcs_demo_canary"
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"one line":                     {canary + "\n", canary},
		"no newline at its end":        {canary, canary},
		"nothing":                      {" \n", ""},
		"two lines":                    {canary + "\n" + canary + "\n", ""},
		"more than any secret is long": {canary + strings.Repeat("x", 4<<10), ""},
		"one line and a page of space": {canary + strings.Repeat(" ", 4<<10), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := token.ReadSecret(file)
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), file)) {
				t.Errorf("the error %q must name the file and not its text", err)
			}
		})
	}
	if _, err := token.ReadSecret(filepath.Join(t.TempDir(), "gone")); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("a file that is not there: %v", err)
	}
}
