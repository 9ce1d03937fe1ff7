package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// The policy package knows nothing of the gateway and has words of its own for
// the fields that no policy says. This holds them to the gateway's table, so that
// a mistake is told with its place, and none is let through.
func TestNoPolicySetsAFieldThatIsTheConnectionsOrTheGateways(t *testing.T) {
	t.Parallel()
	walked := 0
	for _, f := range pipeline.OwnedFields() {
		if f.Owner&(pipeline.EndsHere|pipeline.Written|pipeline.Ours) == 0 || f.Name == "Authorization" { // which may be a secret of the upstream's
			continue
		}
		walked++
		name := f.Name
		if f.Prefix {
			name = strings.TrimSuffix(name, "-") + "-X"
		}
		text := strings.Replace(ruled, "log: [page]", fmt.Sprintf("request: {set: {%s: \"a\"}}", name), 1)
		_, err := policy.Check(fstest.MapFS{"policy.yaml": {Data: []byte(text)}}, func(string) (string, bool) { return "https://localhost:1", true })
		told, _ := errors.AsType[policy.Mistakes](err)
		if !slices.ContainsFunc(told, func(m policy.Mistake) bool { return m.Code == policy.CodeField && strings.Contains(m.What, name) }) {
			t.Errorf("a policy that sets %s is told: %v", name, err)
		}
	}
	if walked < 20 {
		t.Errorf("%d fields of the table are tried", walked)
	}
}
