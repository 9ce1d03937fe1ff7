package main

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/framing"
)

func TestEveryReasonToRefuseARequestsFramingIsCountedByItsName(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	refused, err := framingRefusals(metrics)
	if err != nil {
		t.Fatal(err)
	}
	const name = "portcullis_framing_refusals_total"
	if n, err := testutil.GatherAndCount(metrics, name); err != nil || n != len(framing.Reasons()) {
		t.Fatalf("before the first refusal %d series stand at zero (%v), want %d", n, err, len(framing.Reasons()))
	}
	for _, reason := range framing.Reasons() {
		refused(reason)
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		if n := m.GetCounter().GetValue(); n != 1 {
			t.Errorf("%s: %v refusals, want 1", m.GetLabel()[0].GetValue(), n)
		}
	}
}
