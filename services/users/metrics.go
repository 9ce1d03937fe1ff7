package users

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// scrapeTime bounds the counting for one look at the metrics.
const scrapeTime = 2 * time.Second

// Register shows what waits, for operators: mails that cannot go and removals
// that do not come to their end are to be seen before somebody complains.
func (s *Service) Register(metrics prometheus.Registerer) error {
	gauge := func(name, help, query string) error {
		return metrics.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
			defer cancel()
			var n float64
			if err := s.store.Read().QueryRowContext(ctx, query).Scan(&n); err != nil {
				s.config.Log.Error("what waits cannot be counted", "metric", name, "error", err.Error())
				return -1
			}
			return n
		}))
	}
	return errors.Join(
		gauge("hotel_mails_waiting", "Mails that are to be sent.", "SELECT count(*) FROM letters WHERE state = 'waiting'"),
		gauge("hotel_mails_parked", "Mails to guests who have not given an address yet.", "SELECT count(*) FROM letters WHERE state = 'parked'"),
		gauge("hotel_mails_refused", "Mails that the mail server will never take for their recipients, since the beginning.", "SELECT count(*) FROM letters WHERE state = 'refused'"),
		gauge("hotel_removals_unfinished", "Guests whom not all services have forgotten yet.", "SELECT count(*) FROM removals WHERE completed IS NULL"),
	)
}
