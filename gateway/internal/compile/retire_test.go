package compile

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/upstream"
)

// TestMetricsEndWithWhatTheyTellOf: a name that was measured once would
// otherwise be measured for ever, and a breaker that was open when its endpoint
// went would be reported open for ever.
func TestMetricsEndWithWhatTheyTellOf(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	registry := prometheus.NewRegistry()
	metrics, err := upstream.NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	var forgotten []string
	f.compiler.config.UpstreamMetrics = metrics
	f.compiler.config.Shadow = func(string, string, string, pipeline.Kind) pipeline.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "shadows"})
	}
	f.compiler.config.Forget = func(s Series) { forgotten = append(forgotten, strings.TrimSpace(s.Route+" "+s.Stage+" "+s.Rule)) }
	breakers := func() int {
		n, err := testutil.GatherAndCount(registry, "portcullis_breaker_state")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	watched := []string{"allow: [{scopes: [read]}], limits: [few]", "allow: [{scopes: [read]}], deny: [{name: night, methods: [GET], mode: shadow}], limits: [few]"}
	two := []string{`endpoints: ["${env:BACKEND}"]`, `endpoints: ["${env:BACKEND}", "http://127.0.0.1:9"]`}
	whole := f.compile(nil, append(watched, two...)...)
	alone := f.compile(whole)
	if got := breakers(); got != 2 {
		t.Errorf("with two endpoints there are %d breakers", got)
	}
	f.compiler.Retire(whole, alone)
	if want := []string{"counted authorize night"}; !slices.Equal(forgotten, want) {
		t.Errorf("forgotten are %q, want %q", forgotten, want)
	}
	if got := breakers(); got != 1 {
		t.Errorf("with one endpoint there are %d breakers", got)
	}

	forgotten = nil
	f.compiler.config.Secret = nil
	doc := f.document(written(t, `name: open, match`, `name: wide, request: {set: {X-Key: "${file:/none}"}}, match`))
	if _, err := f.compiler.Compile(doc, alone); err == nil {
		t.Fatal("a secret that cannot be had is served")
	}
	if want := []string{"wide"}; !slices.Equal(forgotten, want) {
		t.Errorf("of a policy that cannot be served %q is forgotten, want %q", forgotten, want)
	}

	forgotten = nil
	f.compiler.Retire(alone, &pipeline.Snapshot{})
	slices.Sort(forgotten)
	if want := []string{"counted", "open"}; !slices.Equal(forgotten, want) || breakers() != 0 {
		t.Errorf("at the end %q is forgotten and %d breakers are told of", forgotten, breakers())
	}
}
