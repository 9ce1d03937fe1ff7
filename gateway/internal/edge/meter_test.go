package edge_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
)

func TestWhatIsInShadowIsCountedByRouteStageRuleAndOutcome(t *testing.T) {
	registry := prometheus.NewRegistry()
	meters, err := edge.NewMeters(registry)
	if err != nil {
		t.Fatal(err)
	}
	meters.Shadow("list-hotels", "inspect", "strict", pipeline.Fault) // has nothing to tell yet
	counter := meters.Shadow("list-hotels", "inspect", "strict", pipeline.Deny)
	tx := &pipeline.Transaction{}
	for range 2 {
		tx.WouldHave(pipeline.Shadow{Count: counter})
	}
	want := `# HELP portcullis_shadow_total Requests on which a rule, limit, profile or validation in mode shadow would have decided; fault says that it could not be asked.
# TYPE portcullis_shadow_total counter
portcullis_shadow_total{route="list-hotels",rule="strict",stage="inspect",would="deny"} 2
portcullis_shadow_total{route="list-hotels",rule="strict",stage="inspect",would="fault"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "portcullis_shadow_total"); err != nil {
		t.Error(err)
	}
}

func TestWhatNoPolicyNamesAnyMoreIsNotCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	meters, err := edge.NewMeters(registry)
	if err != nil {
		t.Fatal(err)
	}
	of := func(name string) int {
		n, err := testutil.GatherAndCount(registry, "portcullis_"+name)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	meters.Route("kept")
	each := of("requests_total")
	meters.Route("gone").Observe(pipeline.Allow, 200, 0)
	meters.Shadow("kept", "inspect", "strict", pipeline.Deny)
	meters.Shadow("gone", "inspect", "strict", pipeline.Deny)
	meters.Shadow("gone", "authorize", "deny[0]", pipeline.Deny)

	meters.Forget("gone", "inspect", "strict")
	if of("requests_total") != 2*each || of("request_seconds") != 2 || of("shadow_total") != 2 {
		t.Errorf("a rule is forgotten: %d, %d, %d", of("requests_total"), of("request_seconds"), of("shadow_total"))
	}
	meters.Forget("gone", "", "")
	if of("requests_total") != each || of("request_seconds") != 1 {
		t.Errorf("a route is forgotten: %d, %d", of("requests_total"), of("request_seconds"))
	}
}
