package certs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portcullis/certs"
)

func TestAnIssuersAuthorityThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none.pem")
	if err := os.WriteFile(none, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, file := range map[string]string{"holds no certificate": none, "reading the issuer's ca": filepath.Join(t.TempDir(), "gone")} {
		if _, err := certs.IssuerClient(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
