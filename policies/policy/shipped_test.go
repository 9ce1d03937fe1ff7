package policy

import (
	"os"
	"testing"
)

func noEnvironment(string) (string, bool) { return "", false }

func TestTheShippedPoliciesAreValid(t *testing.T) {
	t.Parallel()
	if _, err := Check(os.DirFS(".."), noEnvironment); err != nil {
		t.Fatal(err)
	}
}
