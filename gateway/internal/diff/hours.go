package diff

import (
	"fmt"
	"slices"
	"time"

	"portcullis/policies/policy"
)

const day = 24 * time.Hour

// hours asks whether now is within one of some spans. Spans of one zone are
// compared by the clock on its walls: the cases are the moments of a week at
// which one of them begins or ends. Zones are not compared with each other.
func (v *variables) hours(side int, list []policy.Hours) expr {
	zones := map[string][]policy.Hours{}
	var names []string
	for _, h := range list {
		zone := "UTC"
		if h.Zone != nil {
			zone = h.Zone.String()
		}
		if zones[zone] == nil {
			names = append(names, zone)
		}
		zones[zone] = append(zones[zone], h)
	}
	var one or
	for _, zone := range names {
		spans := zones[zone]
		t := v.ask(side, "hours "+zone, moments(spans), func(f fact) truth {
			return truthOf(slices.ContainsFunc(spans, func(h policy.Hours) bool { return during(h, time.Duration(f.number)) }))
		})
		v.list[t.variable].opaque = true // beside other zones
		one = append(one, t)
	}
	return one
}

// moments are the begin of each piece of the week that the spans cut out.
func moments(spans []policy.Hours) []fact {
	cases := []fact{{}}
	for _, h := range spans {
		for d := range 7 {
			for _, at := range []time.Duration{0, h.Begin, h.End} {
				at = (time.Duration(d)*day + at) % (7 * day)
				cases = append(cases, fact{number: int64(at)})
			}
		}
	}
	return cases
}

// during reports whether a moment, counted from the begin of Sunday, is within a
// span. One whose end is not after its begin goes on past midnight.
func during(h policy.Hours, moment time.Duration) bool {
	today, clock := int(moment/day), moment%day
	if h.End > h.Begin {
		return h.Days[today] && h.Begin <= clock && clock < h.End
	}
	return h.Days[today] && h.Begin <= clock || h.Days[(today+6)%7] && clock < h.End
}

// span writes hours as policies do.
func span(h policy.Hours) string {
	if h.Text != "" {
		return h.Text
	}
	return fmt.Sprintf("%v-%v", h.Begin, h.End)
}
