// Package search is the service that finds hotels with free rooms. It owns the
// hotels, their rooms and their rates. Which rooms are free it asks of
// reservations: when that cannot be had it says so, and never invents rooms.
package search

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
	// Path is the service's own SQLite file, made and seeded when it is not
	// there.
	Path string
	// Reservations answers for free rooms. The client's credential needs
	// availability:read.
	Reservations *peer.Client
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
	if c.Reservations == nil || c.Guard == nil || c.Log == nil {
		return nil, errors.New("search needs a client of reservations, a guard and a log")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	opened, err := store.Open(ctx, c.Path, migrations())
	if err != nil {
		return nil, fmt.Errorf("start search: %w", err)
	}
	return &Service{config: c, store: opened}, nil
}

// Handler serves the contract.
func (s *Service) Handler() http.Handler {
	read := s.config.Guard.Require(hotel.ScopeSearchRead)
	r := wire.Router()
	r.With(read).Get(hotel.PathHotels, wire.Handler(s.config.Log, s.find))
	r.With(read).Get(hotel.PathHotel, wire.Handler(s.config.Log, s.show))
	return r
}

// Ready says whether the service can work. Reservations being away is no reason
// to say no: hotels can still be shown.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ready(ctx) }

// Close closes the database.
func (s *Service) Close() error { return s.store.Close() }
