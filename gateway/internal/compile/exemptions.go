package compile

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// exemption is when something let through is to be thought over.
type exemption struct {
	kind, name string
	expires    time.Time
}

// exemptions are those of a document, each name once: one metric has one value.
// Of two with a name the one that ends first counts.
func exemptions(doc *policy.Document) []exemption {
	var all []exemption
	for _, p := range doc.WAF {
		for _, patch := range p.Patches {
			all = append(all, exemption{"patch", p.Name.V + " " + patch.File.V, patch.Expires.V})
		}
		for _, e := range p.Exclusions {
			var rules []string
			for _, id := range e.Rules {
				rules = append(rules, strconv.Itoa(id.V))
			}
			all = append(all, exemption{"exclusion", p.Name.V + " " + strings.Join(rules, ",") + " " + e.Target.V, e.Expires.V})
		}
	}
	if doc.Gateway != nil {
		for _, f := range doc.Gateway.Floor {
			for _, e := range f.Except {
				all = append(all, exemption{"floor", f.Paths.V + " " + e.Route.V, e.Expires.V})
			}
		}
	}
	slices.SortFunc(all, func(a, b exemption) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), a.expires.Compare(b.expires))
	})
	return slices.CompactFunc(all, func(a, b exemption) bool { return a.kind == b.kind && a.name == b.name })
}

// exemptionCollector shows when what the policy in force lets through is to be
// thought over. It reads when it is asked: what a policy no longer has leaves no
// series behind.
type exemptionCollector struct {
	current *pipeline.Current
	expiry  *prometheus.Desc
}

// NewExemptionCollector tells when the exemptions of the snapshot in force end.
func NewExemptionCollector(current *pipeline.Current) prometheus.Collector {
	return exemptionCollector{current, prometheus.NewDesc("portcullis_policy_exemption_expiry_timestamp_seconds",
		"When an exclusion or a patch of a WAF profile, or an exception to a floor, is to be thought over. It is in force before and after.", []string{"kind", "name"}, nil)}
}

func (c exemptionCollector) Describe(to chan<- *prometheus.Desc) { to <- c.expiry }

func (c exemptionCollector) Collect(to chan<- prometheus.Metric) {
	for _, e := range stateOf(c.current.Load()).exemptions {
		to <- prometheus.MustNewConstMetric(c.expiry, prometheus.GaugeValue, float64(e.expires.Unix()), e.kind, e.name)
	}
}
