//go:build !race

package access_test

import (
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/access"
)

// The race detector allocates, and makes pools forget on purpose.

func TestAuthorizeAllocatesNothingWhenItAllows(t *testing.T) {
	all := access.Rule{
		Methods: texts("GET"), Clients: texts("kiosk"), Owner: text("guest"), Networks: nets("192.0.2.0/24"), Scopes: texts("notes:read"),
		Hours:  []access.Span{span("wed", 8*time.Hour, 18*time.Hour, time.UTC)},
		Claims: []access.Claim{{Name: "tenant", Type: token.ClaimText, Values: texts("acme")}, {Name: "groups", Type: token.ClaimTexts, Values: texts("staff")}, {Name: "level", Type: token.ClaimNumber, Values: texts("5")}},
		When:   cel(t, "token.client == 'kiosk' && source.ip != '192.0.2.10' && token.tenant == 'acme' && token.level == 5"),
	}
	shadow := access.Rule{Name: "shadow", Shadow: true, When: cel(t, "token.sub == params.guest")}
	stage, tx := authorize(t, []access.Rule{all}, []access.Rule{shadow}), asked()
	if n := testing.AllocsPerRun(100, func() {
		tx.Shadows = tx.Shadows[:0]
		if stage.Decide(tx) != nil || len(tx.Shadows) != 1 {
			t.Fatal("denied")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
