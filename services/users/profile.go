package users

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

const maxPhone = 32 // characters

// errNone says that there is nothing of the kind for this guest.
var errNone = errors.New("the guest has none")

// showProfile serves GET /v1/guests/{guest}/profile.
func (s *Service) showProfile(w http.ResponseWriter, r *http.Request) error {
	guest, err := owner(r)
	if err != nil {
		return err
	}
	found, err := profile(r.Context(), s.store.Read(), guest)
	if errors.Is(err, errNone) {
		return problem.New(problem.NotFound, "There is no profile yet: PUT makes it.")
	}
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, found)
}

// putProfile serves PUT /v1/guests/{guest}/profile.
func (s *Service) putProfile(w http.ResponseWriter, r *http.Request) error {
	guest, err := owner(r)
	if err != nil {
		return err
	}
	var update hotel.ProfileUpdate
	if err := wire.Decode(w, r, &update); err != nil {
		return err
	}
	if err := checkProfile(update); err != nil {
		return wire.Unprocessable(err)
	}
	p := hotel.Profile{Guest: guest, Name: update.Name, Email: update.Email, Phone: update.Phone, Updated: s.now()}
	if err := s.keepProfile(r.Context(), p); err != nil {
		return err
	}
	s.outbox.Wake()
	return wire.Answer(w, http.StatusOK, p)
}

// checkProfile says what keeps a profile from being kept, fit for the caller's
// eyes.
func checkProfile(p hotel.ProfileUpdate) error {
	if err := boundedText("name", p.Name, 1, hotel.MaxName); err != nil {
		return err
	}
	if strings.TrimSpace(p.Name) == "" {
		return errors.New("name is blank")
	}
	if !hotel.ValidEmail(p.Email) {
		return errors.New("email is not an address such as ada@example.com")
	}
	if err := boundedText("phone", p.Phone, 0, maxPhone); err != nil {
		return err
	}
	if strings.Trim(p.Phone, "+0123456789 -/().") != "" {
		return errors.New("phone has more than digits, blanks and + - / ( )")
	}
	return nil
}

// row is what one row is read from: the pool, or a transaction that will write.
type row interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// profile finds a guest's, or errNone.
func profile(ctx context.Context, q row, guest string) (hotel.Profile, error) {
	p := hotel.Profile{Guest: guest}
	var updated int64
	err := q.QueryRowContext(ctx, "SELECT name, email, phone, updated FROM profiles WHERE guest = ?", guest).
		Scan(&p.Name, &p.Email, &p.Phone, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return p, errNone
	}
	if err != nil {
		return p, fmt.Errorf("read a profile: %w", err)
	}
	p.Updated = time.UnixMilli(updated).UTC()
	return p, nil
}

// keepProfile stores a profile, and lets the guest's mails that waited for an
// address go.
func (s *Service) keepProfile(ctx context.Context, p hotel.Profile) error {
	return s.store.Write(ctx, func(tx *sql.Tx) error {
		// What was forgotten must not come back by a form that was still open.
		var removed bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM removals WHERE guest = ?)", p.Guest).Scan(&removed); err != nil {
			return fmt.Errorf("look for a removal: %w", err)
		}
		if removed {
			return problem.New(problem.Conflict, "The removal of your data is under way: nothing new is kept.")
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO profiles (guest, name, email, phone, updated) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (guest) DO UPDATE SET name = excluded.name, email = excluded.email, phone = excluded.phone, updated = excluded.updated`,
			p.Guest, p.Name, p.Email, p.Phone, p.Updated.UnixMilli())
		if err != nil {
			return fmt.Errorf("store a profile: %w", err)
		}
		return s.unpark(ctx, tx, p.Guest)
	})
}
