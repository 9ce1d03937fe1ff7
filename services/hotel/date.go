package hotel

import (
	"fmt"
	"time"
)

const day = 24 * time.Hour

// Date is a calendar day without a time or a zone, counted in days from
// 1970-01-01. Dates compare with < and subtract to a number of nights. On the
// wire it is an ISO 8601 date such as 2027-01-10. The zero Date means "not
// given": no stay can lie in 1970.
type Date int

// Today is the day that now falls on in UTC.
func Today(now time.Time) Date {
	y, m, d := now.UTC().Date()
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / int64(day/time.Second))
}

// ParseDate reads an ISO 8601 calendar date of exactly the form YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%.32q is not a date: write it as YYYY-MM-DD", s)
	}
	return Today(t), nil
}

// String is the ISO 8601 form.
func (d Date) String() string {
	return time.Unix(int64(d)*int64(day/time.Second), 0).UTC().Format(time.DateOnly)
}

// MarshalText writes the ISO 8601 form.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the ISO 8601 form.
func (d *Date) UnmarshalText(text []byte) error {
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
