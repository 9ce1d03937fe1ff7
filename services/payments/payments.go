// Package payments is the service that charges cards through the bank, each
// charge once, whatever is repeated, slow or cut off. It owns the ledger, the
// keys that charges were asked for with, and what the bank has still to be
// asked or told. Cards pass through it: it keeps their last four digits.
package payments

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/outbox"
	"portcullis/services/internal/store"
	"portcullis/services/internal/wire"
	"portcullis/services/mail"
)

//go:embed openapi.yaml
var contract []byte

// Contract is the service's OpenAPI document.
func Contract() []byte { return slices.Clone(contract) }

// Sender sends a letter; mail.Sender is one. It returns mail.ErrRecipient when
// no repetition would help.
type Sender interface {
	Send(ctx context.Context, l mail.Letter) error
}

// Config is what the service needs.
type Config struct {
	// Path is the service's own SQLite file, made when it is not there.
	Path string
	// Bank charges the cards.
	Bank BankConfig
	// Mail goes out through it.
	Mail Sender
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
	bank   *bank
	outbox *outbox.Outbox
	wake   chan struct{}

	mu sync.Mutex
	// flights are the charges that are at the bank on somebody's behalf; whoever
	// asks for the same one waits until it is closed.
	flights map[string]chan struct{}
}

// New opens the database. It calls nobody.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Mail == nil || c.Guard == nil || c.Log == nil {
		return nil, errors.New("payments needs somebody to send mail, a guard and a log")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Service{config: c, wake: make(chan struct{}, 1), flights: map[string]chan struct{}{}}
	var err error
	if s.bank, err = newBank(c.Bank); err != nil {
		return nil, fmt.Errorf("start payments: %w", err)
	}
	if s.store, err = store.Open(ctx, c.Path, migrations()); err != nil {
		return nil, fmt.Errorf("start payments: %w", err)
	}
	s.outbox, err = outbox.New(outbox.Config{
		Store: s.store, Log: c.Log, Now: c.Now,
		Handlers: map[string]outbox.Handler{kindReceived: s.deliver, kindRefund: s.deliver},
	})
	if err == nil {
		// There is one connection that writes. What it deletes, an address for
		// instance, is overwritten in the file.
		err = s.store.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "PRAGMA secure_delete = ON")
			return err
		})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start payments: %w", err), s.store.Close())
	}
	return s, nil
}

// Handler serves the contract.
func (s *Service) Handler() http.Handler {
	write := s.config.Guard.Require(hotel.ScopeChargesWrite)
	read := s.config.Guard.Require(hotel.ScopeChargesRead)
	settle := s.config.Guard.Require(hotel.ScopeChargesSettle)
	export := s.config.Guard.Require(hotel.ScopeGuestExport)
	erase := s.config.Guard.Require(hotel.ScopeGuestErase)
	serve := func(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
		return wire.Handler(s.config.Log, f)
	}
	r := wire.Router()
	r.With(write).Post(hotel.PathCharges, serve(s.create))
	r.With(settle).Get(hotel.PathCharge, serve(s.show))
	r.With(settle).Post(hotel.PathChargeVoid, serve(s.giveUp))
	r.With(settle).Post(hotel.PathChargeRefund, serve(s.giveBack))
	r.With(read).Get(hotel.PathGuestCharges, serve(s.list))
	r.With(export).Get(hotel.PathGuestData, serve(s.export))
	r.With(erase).Delete(hotel.PathGuestData, serve(s.erase))
	return r
}

// Run settles with the bank what is open, and sends mail, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { s.outbox.Run(ctx) })
	both.Go(func() { s.work(ctx) })
	both.Wait()
}

// Ready reports whether the service can work. The bank being away is no reason to
// say no: what was paid can still be shown, voided and refunded.
func (s *Service) Ready(ctx context.Context) error { return s.store.Ready(ctx) }

// Close closes the database.
func (s *Service) Close() error {
	s.bank.close()
	return s.store.Close()
}
