// Package users is the service that knows the guests: their profiles, keyed by
// the subject of their tokens; the mails that tell them, and the hotel, what
// became of a booking; and, on their demand, all that any service holds of them,
// and that all of them forget it.
//
// A mail goes out exactly once as far as SMTP allows, whatever is killed or away
// meanwhile. A removal that was taken is carried to its end, service by service,
// the account last.
package users

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/outbox"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/store"
	"portcullis/services/internal/wire"
	"portcullis/services/mail"
)

//go:embed openapi.yaml
var contract []byte

// Contract is the service's OpenAPI document.
func Contract() []byte { return slices.Clone(contract) }

// Neighbour is a service that holds data of guests. Each client's credential has
// the one scope that it is for.
type Neighbour struct {
	Export *peer.Client // guest:export
	Erase  *peer.Client // guest:erase
}

func (n Neighbour) complete() bool { return n.Export != nil && n.Erase != nil }

// Config is what the service needs.
type Config struct {
	// Path is the service's own SQLite file, made when it is not there.
	Path string
	// These hold data of guests beside us.
	Reservations, Payments, Reporting, Booking Neighbour
	// Documents is reporting; the client's credential needs documents:read.
	Documents *peer.Client
	// Accounts is the token service; the client's credential needs
	// accounts:erase.
	Accounts *peer.Client
	Mail     *mail.Sender
	// Desks are the addresses of hotels by their id; one that is not here is
	// written to at bookings@ID.hotel.test.
	Desks map[string]string
	// Bookings is the page where guests find their bookings, for links in mails.
	Bookings string
	// Guard lets in who has a token for this service.
	Guard *token.Guard
	Log   *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Service is the running service. Its zero value is not usable.
type Service struct {
	config  Config
	store   *store.Store
	outbox  *outbox.Outbox
	removal chan struct{} // wakes the worker of removals
	steps   []step
	letters *template.Template
}

// New opens the database. It calls nobody.
func New(ctx context.Context, c Config) (*Service, error) {
	if !c.Reservations.complete() || !c.Payments.complete() || !c.Reporting.complete() || !c.Booking.complete() ||
		c.Documents == nil || c.Accounts == nil || c.Mail == nil || c.Guard == nil || c.Log == nil {
		return nil, errors.New("users needs clients of all that hold data of guests, of the token service, a mail server, a guard and a log")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Service{config: c, removal: make(chan struct{}, 1)}
	s.steps = s.allSteps()
	var err error
	if s.letters, err = parseLetters(); err != nil {
		return nil, err
	}
	if s.store, err = store.Open(ctx, c.Path, migrations()); err != nil {
		return nil, fmt.Errorf("start users: %w", err)
	}
	s.outbox, err = outbox.New(outbox.Config{
		Store: s.store, Log: c.Log, Now: c.Now,
		Handlers: map[string]outbox.Handler{toGuest: s.post(toGuest), toHotel: s.post(toHotel)},
	})
	if err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

// Handler serves the contract.
func (s *Service) Handler() http.Handler {
	read := s.config.Guard.Require(hotel.ScopeProfileRead)
	write := s.config.Guard.Require(hotel.ScopeProfileWrite)
	events := s.config.Guard.Require(hotel.ScopeEventsWrite)
	serve := func(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
		return wire.Handler(s.config.Log, f)
	}
	r := wire.Router()
	r.With(read).Get(hotel.PathProfile, serve(s.showProfile))
	r.With(write).Put(hotel.PathProfile, serve(s.putProfile))
	r.With(events).Post(hotel.PathEvents, serve(s.takeEvent))
	r.With(read).Get(hotel.PathExport, serve(s.export))
	r.With(read).Get(hotel.PathRemoval, serve(s.showRemoval))
	r.With(write).Post(hotel.PathRemoval, serve(s.askRemoval))
	return r
}

// Run mails and removes until ctx ends; what is left then is done by the next
// process.
func (s *Service) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { s.outbox.Run(ctx) })
	both.Go(func() { s.remove(ctx) })
	both.Wait()
}

// Ready reports whether the service can work. That a neighbour or the mail server is
// away is no reason to say no: what is to be told and forgotten waits for them.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ready(ctx) }

// Close closes the database.
func (s *Service) Close() error { return s.store.Close() }

func (s *Service) now() time.Time { return s.config.Now().UTC().Truncate(time.Millisecond) }
