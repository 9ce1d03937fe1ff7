// Package reservations is the service that quotes, books and cancels stays. It
// owns the reservations and, with them, which rooms are free: no room is ever
// sold twice. What a hotel costs and how many rooms it has belongs to search,
// and is asked of it.
//
// A booking that is paid by card is held, and then confirmed or released. Its
// state is in the database and nowhere else, and so is whatever others are
// still to be told: a process may be killed between any two steps, and the next
// one ends what it left. A guest is charged exactly when the reservation is
// confirmed.
package reservations

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/outbox"
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
	// Payments charges the guest's card in exchange for the guest's token. The
	// client's own credential needs charges:settle: it asks, voids and refunds.
	Payments *peer.Client
	// Reporting renders receipts, Users hears what happened. Their credentials
	// need documents:write and events:write.
	Reporting, Users *peer.Client
	// Partners are the chains whose hotels can be booked, by name.
	Partners map[string]*peer.Outside
	// Guard lets in who has a token for this service.
	Guard *token.Guard
	Log   *slog.Logger
	// Hold is how long a room is held for a booking that is not decided; two
	// minutes when zero.
	Hold time.Duration
	// Patience is how long the sender of a booking is kept waiting; 1.5 seconds
	// when zero, which leaves the callers in between their time. After it the
	// answer is 202, and the booking goes on.
	Patience time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Service is the running service. Its zero value is not usable.
type Service struct {
	config Config
	store  *store.Store
	outbox *outbox.Outbox
	driven underWay
	// work ends when the service does; stop ends it.
	work context.Context
	stop context.CancelFunc
	// retries are Run's, by reservation.
	retries map[string]retry
}

const (
	defaultHold     = 2 * time.Minute
	defaultPatience = 1500 * time.Millisecond
)

// New opens the database. It calls nobody: see Run.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Search == nil || c.Payments == nil || c.Reporting == nil || c.Users == nil || c.Guard == nil || c.Log == nil {
		return nil, errors.New("reservations needs clients of search, payments, reporting and users, a guard and a log")
	}
	for name, partner := range c.Partners {
		if partner == nil || !hotel.ValidID(name) || strings.Contains(name, ".") {
			return nil, fmt.Errorf("%q is not the name of a partner with a client", name)
		}
	}
	if c.Hold <= 0 {
		c.Hold = defaultHold
	}
	if c.Patience <= 0 {
		c.Patience = defaultPatience
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	opened, err := store.Open(ctx, c.Path, migrations())
	if err != nil {
		return nil, fmt.Errorf("start reservations: %w", err)
	}
	s := &Service{config: c, store: opened, driven: underWay{ids: map[string]bool{}}}
	s.outbox, err = outbox.New(outbox.Config{Store: opened, Handlers: s.handlers(), Log: c.Log, Now: c.Now})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start reservations: %w", err), opened.Close())
	}
	s.work, s.stop = context.WithCancel(context.Background())
	return s, nil
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
	r.With(s.config.Guard.Require(hotel.ScopeGuestExport)).Get(hotel.PathGuestData, serve(s.export))
	r.With(s.config.Guard.Require(hotel.ScopeGuestErase)).Delete(hotel.PathGuestData, serve(s.erase))
	r.With(internal).Post(hotel.PathAvailability, serve(s.availability))
	return r
}

// Ready reports whether the service can work. Search being away is no reason to
// say no: what is booked can still be shown and cancelled.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ready(ctx) }

// Close gives up the bookings under way, which the next process settles, and
// closes the database.
func (s *Service) Close() error {
	s.stop()
	s.driven.all.Wait()
	return s.store.Close()
}

func (s *Service) today() hotel.Date { return hotel.Today(s.config.Now()) }
