package booking

import (
	"database/sql"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

// data serves what users asks when a guest wants an export or to be forgotten.
func (s *Service) data(r chi.Router) {
	r.With(s.config.Guard.Require(hotel.ScopeGuestExport)).Get(hotel.PathGuestData, wire.Handler(s.config.Log, s.exportData))
	r.With(s.config.Guard.Require(hotel.ScopeGuestErase)).Delete(hotel.PathGuestData, wire.Handler(s.config.Log, s.eraseData))
}

// Data is what is held of a guest here.
type Data struct {
	Guest    string        `json:"guest"`
	Sessions []SessionData `json:"sessions"`
}

// SessionData is when a guest was signed in. The tokens of the sign-in are
// sealed, and nobody but the browser that holds its cookie can read them.
type SessionData struct {
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	Expires time.Time `json:"expires"`
}

// exportData serves GET /v1/guests/{guest}/data.
func (s *Service) exportData(w http.ResponseWriter, r *http.Request) error {
	guest, err := named(r)
	if err != nil {
		return err
	}
	rows, err := s.store.Read().QueryContext(r.Context(),
		"SELECT created, seen, expires FROM sessions WHERE guest = ? ORDER BY created DESC LIMIT 1000", guest)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	answer := Data{Guest: guest, Sessions: []SessionData{}}
	for rows.Next() {
		var created, seen, expires int64
		if err := rows.Scan(&created, &seen, &expires); err != nil {
			return err
		}
		answer.Sessions = append(answer.Sessions, SessionData{
			time.Unix(created, 0).UTC(), time.Unix(seen, 0).UTC(), time.Unix(expires, 0).UTC(),
		})
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, answer)
}

// eraseData serves DELETE /v1/guests/{guest}/data: it signs the guest out
// everywhere and leaves nothing.
func (s *Service) eraseData(w http.ResponseWriter, r *http.Request) error {
	guest, err := named(r)
	if err != nil {
		return err
	}
	err = s.store.Write(r.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(r.Context(), "DELETE FROM sessions WHERE guest = ?", guest)
		return err
	})
	if err == nil {
		err = s.store.Scrub(r.Context())
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// named is the guest that the path names.
func named(r *http.Request) (string, error) {
	guest, err := wire.Guest(r)
	if err != nil {
		return "", err
	}
	if guest == "" || len(guest) > 255 || !clean(guest) {
		return "", problem.New(problem.BadRequest, "The guest's id is not one.")
	}
	return guest, nil
}
