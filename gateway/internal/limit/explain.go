package limit

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// Explain tells how each limit of the stage stands after the request.
func (s *stage) Explain(tx *pipeline.Transaction, d pipeline.Decision) []pipeline.Reason {
	var reasons []pipeline.Reason
	denied := d.Stage == s.name && d.Kind == pipeline.Deny
	for i := range s.set.limits {
		reasons = append(reasons, s.set.limits[i].explain(tx.Limits, denied))
	}
	if s.shadows == nil {
		return reasons
	}
	for i := range s.shadows.limits {
		l := &s.shadows.limits[i]
		r := l.explain(tx.ShadowLimits, l.wouldDeny(tx, s.name))
		r.Shadow = true
		if r.State == pipeline.Neutral && denied {
			r.State, r.Value = pipeline.Unasked, ""
		}
		reasons = append(reasons, r)
	}
	return reasons
}

// wouldDeny reports whether the limit, in shadow, is recorded as one that would
// have denied the request.
func (l *bound) wouldDeny(tx *pipeline.Transaction, stage string) bool {
	for _, shadow := range tx.Shadows {
		if shadow.Stage == stage && shadow.Rule == l.Name {
			return true
		}
	}
	return false
}

// explain tells how the limit stands; denied says that some limit of its set
// refused the request, which all that have no room did.
func (l *bound) explain(states []pipeline.LimitState, denied bool) pipeline.Reason {
	r := pipeline.Reason{Text: l.words(), Value: "does not count this caller", Place: l.Place}
	for i := range states {
		s := &states[i]
		if s.Name != l.Name {
			continue
		}
		r.State, r.Value = pipeline.Holds, strconv.Itoa(s.Remaining)+" left"
		if s.RetryAfter > 0 {
			r.Value += ", the next in " + inWords(s.RetryAfter)
			if denied {
				r.State, r.Mend = pipeline.Fails, "wait "+inWords(s.RetryAfter)
			}
		}
	}
	return r
}

// words is the limit as one would say it.
func (l *bound) words() string {
	text := fmt.Sprintf("%s: %d in %s by %s", l.Name, l.Count, short(l.Per), l.By)
	if l.Burst > 0 {
		text += fmt.Sprintf(", at most %d at once", l.Burst)
	}
	if len(l.Clients) > 0 {
		text += ", for " + strings.Join(l.Clients, ", ")
	}
	return text
}

// short is a duration as policies have it: 1m, not 1m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// inWords is a time to wait in whole seconds, rounded up as Retry-After is.
func inWords(d time.Duration) string { return strconv.FormatInt(ceilSeconds(d), 10) + " s" }

// Explain tells how many requests of the route may be under way at once.
func (c *Capacity) Explain(_ *pipeline.Transaction, d pipeline.Decision) []pipeline.Reason {
	r := pipeline.Reason{Text: fmt.Sprintf("at most %d at once", c.most), State: pipeline.Holds}
	if d.Stage == c.Name() {
		r.State, r.Mend = pipeline.Fails, "try again when others are done"
	}
	return []pipeline.Reason{r}
}
