package access

import (
	"time"

	"portcullis/gateway/internal/pipeline"
)

// Span is a weekly span of time: "mon-fri 08:00-18:00 Europe/Helsinki". It is
// read on the clock on the wall of its zone, whatever daylight saving does. One
// whose end is not after its begin goes on past midnight.
type Span struct {
	Text       string
	Days       [7]bool // by time.Weekday, of the begin
	Begin, End time.Duration
	Zone       *time.Location
	Place      string
}

// holds reports whether a moment is within the span: from Begin on, before End.
func (s *Span) holds(at time.Time) bool {
	at = at.In(s.Zone)
	hour, minute, second := at.Clock()
	clock := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	today := at.Weekday()
	if s.Begin < s.End {
		return s.Days[today] && clock >= s.Begin && clock < s.End
	}
	yesterday := (today + 6) % 7
	return s.Days[today] && clock >= s.Begin || s.Days[yesterday] && clock < s.End
}

// hours wants the request within one of some spans.
type hours []Span

func (h hours) state(tx *pipeline.Transaction) pipeline.State {
	for i := range h {
		if h[i].holds(tx.Start) {
			return pipeline.Holds
		}
	}
	return pipeline.Fails
}

func (h hours) explain(tx *pipeline.Transaction) []pipeline.Reason {
	words := make([]string, len(h))
	for i, span := range h {
		words[i] = span.Text
	}
	now := tx.Start.In(h[0].Zone).Format("Mon 15:04 MST")
	return []pipeline.Reason{reason("now is in "+either(words), h.state(tx), now, h[0].Place, "the time in "+either(words))}
}
