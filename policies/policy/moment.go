package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// date reads a day as the first moment after it, in UTC.
func date(v *Value[time.Time]) reader {
	return scalar(v, kind[time.Time]{"a day such as 2027-06-30", []string{"!!str", "!!timestamp"}, parseDate, schema{Type: "string", Pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}})
}

func parseDate(s string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a day: write 2027-06-30", s)
	}
	return day.AddDate(0, 0, 1), nil
}

// moment reads an instant with its distance from UTC.
func moment(v *Value[time.Time]) reader {
	return scalar(v, kind[time.Time]{"a moment such as 2027-01-13T12:00:00Z", []string{"!!str", "!!timestamp"}, parseMoment, schema{Type: "string", Pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T"}})
}

func parseMoment(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a moment: write 2027-01-13T12:00:00Z, or with +02:00 in place of Z", s)
	}
	return t.UTC(), nil
}

// hours reads weekly spans of time.
func hours(into *[]Hours) reader {
	var spans []Value[string]
	r := texts(&spans)
	read := r.read
	r.read = func(d *decoder, n *yaml.Node) {
		read(d, n)
		for _, s := range spans {
			h, err := parseHours(s.V)
			if err != nil {
				d.report(s.Pos, CodeForm, fmt.Sprintf("%q cannot be read as hours", s.V), err.Error(), "write mon-fri 08:00-18:00 Europe/Helsinki; days are "+strings.Join(weekdays(), ", "))
				continue
			}
			h.Pos = s.Pos
			*into = append(*into, h)
		}
	}
	return r
}

func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

func parseHours(s string) (Hours, error) {
	h := Hours{Text: s}
	parts := strings.Fields(s)
	if len(parts) != 3 {
		return h, errors.New("days, times and a time zone belong here")
	}
	for span := range strings.SplitSeq(parts[0], ",") {
		if err := h.addDays(span); err != nil {
			return h, err
		}
	}
	begin, end, _ := strings.Cut(parts[1], "-")
	var err error
	if h.Begin, err = timeOfDay(begin); err != nil || h.Begin == 24*time.Hour {
		return h, fmt.Errorf("%q is not a time of day from 00:00 to 23:59", begin)
	}
	if h.End, err = timeOfDay(end); err != nil {
		return h, fmt.Errorf("%q is not a time of day from 00:00 to 24:00", end)
	}
	if parts[2] == "Local" {
		return h, errors.New("the time zone would depend on the machine")
	}
	if h.Zone, err = time.LoadLocation(parts[2]); err != nil {
		return h, fmt.Errorf("there is no time zone %q", parts[2])
	}
	return h, nil
}

// addDays marks the days of mon-fri or of sat; fri-mon goes over the week's end.
func (h *Hours) addDays(span string) error {
	from, to, isRange := strings.Cut(span, "-")
	if !isRange {
		to = from
	}
	first, last := slices.Index(weekdays(), from), slices.Index(weekdays(), to)
	if first < 0 || last < 0 {
		return fmt.Errorf("%q names no days", span)
	}
	for day := first; ; day = (day + 1) % 7 {
		h.Days[day] = true
		if day == last {
			return nil
		}
	}
}

// timeOfDay is the time since midnight of HH:MM.
func timeOfDay(s string) (time.Duration, error) {
	hour, minute, _ := strings.Cut(s, ":")
	h, err := strconv.Atoi(hour)
	m, err2 := strconv.Atoi(minute)
	if err != nil || err2 != nil || len(hour) != 2 || len(minute) != 2 || h < 0 || m < 0 || m > 59 || h*60+m > 24*60 {
		return 0, errors.New("not a time of day")
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute, nil
}
