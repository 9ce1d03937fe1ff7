//go:build !race

package condition_test

import (
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// The race detector allocates, and makes pools forget on purpose.

func TestAUsualConditionAllocatesNothing(t *testing.T) {
	for _, text := range []string{
		"token.client == 'kiosk' && source.ip != '192.0.2.10'",
		"'notes:write' in token.scopes && request.method == 'POST' && token.sub != params.user",
		"token.client in ['kiosk', 'desk'] && token.tenant == 'acme' && 'staff' in token.groups && token.level > 499 && token.staff",
		"request.size < 1000 && request.path.startsWith('/v1/')",
		"request.host == 'api.hotel.test' && route.name == 'write-note'",
	} {
		t.Run(text, func(t *testing.T) {
			c, tx := compile(t, text), request()
			n := testing.AllocsPerRun(200, func() {
				if c.State(tx) != pipeline.Holds {
					t.Fatal("does not hold")
				}
			})
			if n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
