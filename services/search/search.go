// Package search is the service that finds hotels with free rooms. It owns the
// hotels, their rooms and their rates. Which rooms are free it asks of
// reservations: when that cannot be had it says so, and never invents rooms.
// Partner chains are asked one by one, each when somebody wants its offers, so
// that a slow one keeps nobody waiting for the rest.
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
	// Fresh is how long an answer of reservations or of a partner stands for a new
	// one; zero asks for every search.
	Fresh time.Duration
	// Stale is how old reservations' answer may be that is given, marked with its
	// age, while reservations cannot be asked; zero gives none.
	Stale time.Duration
	// Partners are the chains whose hotels are offered, too.
	Partners []Partner
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
	rooms  *cache[query, map[string]int]
	offers *cache[partnerQuery, []hotel.Offer]
	pages  *cache[string, *hotel.Hotel]
}

// What is kept of others' answers at most. A partner may fill the largest
// answer that is read, an own one is some numbers.
const (
	maxRoomsKept  = 4096
	maxOffersKept = 128
	maxPagesKept  = 1024
)

// New opens the database. It calls nobody.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Reservations == nil || c.Guard == nil || c.Log == nil {
		return nil, errors.New("search needs a client of reservations, a guard and a log")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Fresh < 0 || c.Stale < 0 {
		return nil, errors.New("how long answers are fresh, and how stale they may be, cannot be negative")
	}
	if err := checkPartners(c.Partners); err != nil {
		return nil, fmt.Errorf("start search: %w", err)
	}
	opened, err := store.Open(ctx, c.Path, migrations())
	if err != nil {
		return nil, fmt.Errorf("start search: %w", err)
	}
	return &Service{
		config: c,
		store:  opened,
		rooms:  newCache[query, map[string]int](c.Fresh, c.Stale, maxRoomsKept, c.Now),
		offers: newCache[partnerQuery, []hotel.Offer](c.Fresh, 0, maxOffersKept, c.Now),
		pages:  newCache[string, *hotel.Hotel](partnerPageFresh, 0, maxPagesKept, c.Now),
	}, nil
}

// Handler serves the contract.
func (s *Service) Handler() http.Handler {
	read := s.config.Guard.Require(hotel.ScopeSearchRead)
	r := wire.Router()
	r.With(read).Get(hotel.PathHotels, wire.Handler(s.config.Log, s.find))
	r.With(read).Get(hotel.PathHotel, wire.Handler(s.config.Log, s.show))
	r.With(read).Get(hotel.PathPartners, wire.Handler(s.config.Log, s.partners))
	r.With(read).Get(hotel.PathPartnerOffers, wire.Handler(s.config.Log, s.partnerOffers))
	return r
}

// Ready reports whether the service can work. Reservations or a partner being away
// is no reason to say no: hotels can still be shown.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ready(ctx) }

// Close closes the database, and idle connections to partners.
func (s *Service) Close() error {
	for _, p := range s.config.Partners {
		p.Client.Close()
	}
	return s.store.Close()
}
