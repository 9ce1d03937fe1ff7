package users

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

// showRemoval serves GET /v1/guests/{guest}/removal.
func (s *Service) showRemoval(w http.ResponseWriter, r *http.Request) error {
	guest, err := owner(r)
	if err != nil {
		return err
	}
	found, err := removal(r.Context(), s.store.Read(), guest)
	if errors.Is(err, errNone) {
		return problem.New(problem.NotFound, "Nobody has asked for the removal of this guest.")
	}
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, found)
}

// askRemoval serves POST /v1/guests/{guest}/removal. Once it is stored it is
// carried out; asking again tells how far it is.
func (s *Service) askRemoval(w http.ResponseWriter, r *http.Request) error {
	guest, err := owner(r)
	if err != nil {
		return err
	}
	found, err := removal(r.Context(), s.store.Read(), guest)
	if errors.Is(err, errNone) {
		found, err = s.beginRemoval(r.Context(), guest)
	}
	if err != nil {
		return err
	}
	status := http.StatusAccepted
	if found.Completed != nil {
		status = http.StatusOK
	}
	return wire.Answer(w, status, found)
}

func (s *Service) beginRemoval(ctx context.Context, guest string) (hotel.Removal, error) {
	open, err := s.openBookings(ctx, guest)
	if err != nil {
		return hotel.Removal{}, err
	}
	if len(open) > 0 {
		return hotel.Removal{}, problem.New(problem.Conflict, bookingsFirst(open))
	}
	err = s.store.Write(ctx, func(tx *sql.Tx) error {
		now := s.now().UnixMilli()
		if _, err := tx.ExecContext(ctx, "INSERT INTO removals (guest, asked) VALUES (?, ?) ON CONFLICT DO NOTHING", guest, now); err != nil {
			return fmt.Errorf("store a removal: %w", err)
		}
		for _, step := range s.steps {
			if _, err := tx.ExecContext(ctx, "INSERT INTO removal_steps (guest, service, rank, due) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
				guest, step.service, step.rank, now); err != nil {
				return fmt.Errorf("store a removal: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return hotel.Removal{}, err
	}
	s.config.Log.Info("the removal of a guest begins")
	wake(s.removal)
	return removal(ctx, s.store.Read(), guest)
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has been told
	}
}

// openBookings are the ids of the guest's bookings that are not over: held,
// confirmed, or in a state that we do not know.
func (s *Service) openBookings(ctx context.Context, guest string) ([]string, error) {
	raw, err := held(ctx, s.config.Reservations, guest)
	if err != nil {
		if p, ok := errors.AsType[*problem.Problem](err); ok {
			return nil, p
		}
		return nil, problem.New(problem.Unavailable, "").With("Retry-After", "5").Because(err)
	}
	var data struct {
		Reservations *[]hotel.Reservation `json:"reservations"`
	}
	if json.Unmarshal(raw, &data) != nil || data.Reservations == nil {
		return nil, problem.New(problem.BadGateway, "").Because(errors.New("reservations does not list the bookings it holds"))
	}
	var open []string
	for _, r := range *data.Reservations {
		if r.State != hotel.Cancelled && r.State != hotel.Released && r.To > hotel.Today(s.now()) {
			open = append(open, plain(r.ID, hotel.MaxIDLength))
		}
	}
	return open, nil
}

// shownBookings is how many bookings a refusal names.
const shownBookings = 5

func bookingsFirst(open []string) string {
	more := ""
	if n := len(open) - shownBookings; n > 0 {
		open, more = open[:shownBookings], fmt.Sprintf(" and %d more", n)
	}
	return "There are bookings that are not over: cancel those still to come, and let a stay that has begun end first (" +
		strings.Join(open, ", ") + more + ")."
}

// removal reads how far a removal is, or errNone.
func removal(ctx context.Context, q interface {
	row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, guest string) (hotel.Removal, error) {
	r := hotel.Removal{Guest: guest, Left: []string{}}
	var asked int64
	var completed sql.NullInt64
	err := q.QueryRowContext(ctx, "SELECT asked, completed, blocked FROM removals WHERE guest = ?", guest).Scan(&asked, &completed, &r.Blocked)
	if errors.Is(err, sql.ErrNoRows) {
		return r, errNone
	}
	if err != nil {
		return r, fmt.Errorf("read a removal: %w", err)
	}
	r.Asked = time.UnixMilli(asked).UTC()
	if completed.Valid {
		at := time.UnixMilli(completed.Int64).UTC()
		r.Completed = &at
		return r, nil
	}
	rows, err := q.QueryContext(ctx, "SELECT service FROM removal_steps WHERE guest = ? AND done IS NULL ORDER BY rank, service", guest)
	if err != nil {
		return r, fmt.Errorf("read a removal: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var service string
		if err := rows.Scan(&service); err != nil {
			return r, fmt.Errorf("read a removal: %w", err)
		}
		r.Left = append(r.Left, service)
	}
	return r, rows.Err()
}
