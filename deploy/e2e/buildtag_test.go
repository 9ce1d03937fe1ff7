//go:build nightly

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAGatewayBuiltWithoutItsTagRefusesToServe builds one. It is here and not in
// the daily suite because it compiles the WAF's engine once more.
func TestAGatewayBuiltWithoutItsTagRefusesToServe(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "gateway")
	if out, err := exec.Command("go", "build", "-o", program, "portcullis/gateway").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(program, "check", filepath.Join(root, "policies")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), tag) {
		t.Errorf("it served, or did not say which tag is missing: %v: %s", err, out)
	}
}
