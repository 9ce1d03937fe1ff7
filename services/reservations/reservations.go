// Package reservations is the service that quotes, books and cancels stays. It
// owns the reservations and, with them, which rooms are free: no room is ever
// sold twice. What a hotel costs and how many rooms it has belongs to search,
// and is asked of it.
package reservations

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/store"
	"portcullis/services/internal/wire"
)

//go:embed openapi.yaml
var contract []byte

// Contract is the service's OpenAPI document.
func Contract() []byte { return slices.Clone(contract) }

// Config is what the service needs.
type Config struct {
	// Path is the service's own SQLite file, made when it is not there.
	Path string
	// Search answers for hotels. The client's credential needs search:read.
	Search *peer.Client
	// Guard lets in who has a token for this service.
	Guard *token.Guard
	Log   *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Service is the running service. Its zero value is not usable.
type Service struct {
	config Config
	store  *store.Store
}

// New opens the database. It calls nobody.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Search == nil || c.Guard == nil || c.Log == nil {
		return nil, errors.New("reservations needs a client of search, a guard and a log")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	opened, err := store.Open(ctx, c.Path, migrations())
	if err != nil {
		return nil, fmt.Errorf("start reservations: %w", err)
	}
	return &Service{config: c, store: opened}, nil
}

// Handler serves the contract.
func (s *Service) Handler() http.Handler {
	read := s.config.Guard.Require(hotel.ScopeReservationsRead)
	write := s.config.Guard.Require(hotel.ScopeReservationsWrite)
	internal := s.config.Guard.Require(hotel.ScopeAvailabilityRead)
	serve := func(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
		return wire.Handler(s.config.Log, f)
	}
	r := wire.Router()
	r.With(read).Post(hotel.PathQuotes, serve(s.quote))
	r.With(write).Post(hotel.PathReservations, serve(s.create))
	r.With(read).Get(hotel.PathReservation, serve(s.show))
	r.With(write).Delete(hotel.PathReservation, serve(s.cancel))
	r.With(read).Get(hotel.PathGuestReservations, serve(s.list))
	r.With(internal).Post(hotel.PathAvailability, serve(s.availability))
	return r
}

// Ready says whether the service can work. Search being away is no reason to
// say no: what is booked can still be shown and cancelled.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ready(ctx) }

// Close closes the database.
func (s *Service) Close() error { return s.store.Close() }

func (s *Service) today() hotel.Date { return hotel.Today(s.config.Now()) }
