package payments

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

// retryAfter is what callers are told, in seconds, while the bank has not
// answered.
const retryAfter = 2

// create serves POST /v1/charges.
func (s *Service) create(w http.ResponseWriter, r *http.Request) error {
	guest, err := guest(r)
	if err != nil {
		return err
	}
	ask, err := readCharge(w, r)
	if err != nil {
		return err
	}
	if err := checkCard(ask.Card, s.config.Now()); err != nil {
		return problem.New(problem.PaymentDeclined, sentence(err))
	}
	want := &hotel.Charge{ID: ask.Reservation, Guest: guest, Amount: ask.Amount, Last4: last4(ask.Card)}
	made, fresh, err := s.charge(r.Context(), want, ask.Card, ask.ReceiptTo)
	if errors.Is(err, errTerms) {
		return problem.New(problem.Conflict, "There is a charge for this reservation already, with other terms.")
	}
	if err != nil {
		return err
	}
	switch made.Status {
	case hotel.ChargeApproved:
	case hotel.ChargeDeclined:
		return problem.New(problem.PaymentDeclined, made.Declined)
	case hotel.ChargePending:
		return unknown()
	default:
		return problem.New(problem.Conflict, "The charge was given back: nothing can be charged for this reservation any more.")
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
		w.Header().Set("Location", hotel.PathCharges+"/"+made.ID)
	}
	return wire.Answer(w, status, made.Charge)
}

// charge has the bank charge a card once, whoever asks how often. While the
// bank has not answered, the charge it returns is pending.
func (s *Service) charge(ctx context.Context, want *hotel.Charge, card hotel.Card, receiptTo string) (c *charge, fresh bool, err error) {
	c, fresh, err = s.begin(ctx, want, receiptTo)
	if err != nil || c.Status != hotel.ChargePending {
		return c, fresh, err
	}
	landed, mine := s.fly(want.ID)
	if !mine {
		select {
		case <-landed:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
		c, err = find(ctx, s.store.Read(), want.ID)
		return c, fresh, err
	}
	defer s.land(want.ID)
	// What the bank does is stored though the caller has gone.
	ctx = context.WithoutCancel(ctx)
	said, err := s.bank.charge(ctx, want.ID, want.Amount, card)
	if err != nil {
		s.config.Log.Warn("the bank did not say what became of a charge", "charge", want.ID, "error", err.Error())
		return c, fresh, s.hurry(ctx, want.ID)
	}
	c, err = s.settle(ctx, want.ID, said)
	return c, fresh, err
}

// fly reports whether the caller is the one to go to the bank; if not, landed tells
// when somebody else is back.
func (s *Service) fly(id string) (landed <-chan struct{}, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if flight := s.flights[id]; flight != nil {
		return flight, false
	}
	s.flights[id] = make(chan struct{})
	return nil, true
}

// land ends what fly began.
func (s *Service) land(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.flights[id])
	delete(s.flights, id)
}

// show serves GET /v1/charges/{charge}.
func (s *Service) show(w http.ResponseWriter, r *http.Request) error {
	id, err := named(r)
	if err != nil {
		return err
	}
	c, err := find(r.Context(), s.store.Read(), id)
	if err != nil {
		return public(err)
	}
	return wire.Answer(w, http.StatusOK, c.Charge)
}

// giveUp serves POST /v1/charges/{charge}/void.
func (s *Service) giveUp(w http.ResponseWriter, r *http.Request) error {
	id, err := named(r)
	if err != nil {
		return err
	}
	c, err := s.void(r.Context(), id)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, c.Charge)
}

// giveBack serves POST /v1/charges/{charge}/refund.
func (s *Service) giveBack(w http.ResponseWriter, r *http.Request) error {
	id, err := named(r)
	if err != nil {
		return err
	}
	c, err := s.refund(r.Context(), id)
	switch {
	case err != nil:
		return public(err)
	case c.Status == hotel.ChargePending:
		return unknown()
	case c.Status == hotel.ChargeDeclined:
		return problem.New(problem.Conflict, "The charge was declined: there is nothing to give back.")
	}
	return wire.Answer(w, http.StatusOK, c.Charge)
}

// list serves GET /v1/guests/{guest}/charges.
func (s *Service) list(w http.ResponseWriter, r *http.Request) error {
	guest, err := guest(r)
	if err != nil {
		return err
	}
	asked, err := wire.Guest(r)
	if err != nil {
		return err
	}
	if asked != guest {
		return problem.New(problem.Forbidden, "These are another guest's charges.")
	}
	found, err := query(r.Context(), s.store.Read(), "WHERE g.guest = ? ORDER BY c.seq DESC LIMIT ?", guest, maxListed)
	if err != nil {
		return err
	}
	answer := hotel.Charges{Charges: make([]hotel.Charge, 0, len(found))}
	for _, c := range found {
		answer.Charges = append(answer.Charges, c.Charge)
	}
	return wire.Answer(w, http.StatusOK, answer)
}

// guest is the subject of the caller's token, who must be somebody that the
// caller acts for: a service has no card.
func guest(r *http.Request) (string, error) {
	principal, ok := token.FromContext(r.Context())
	if !ok || principal.Subject == "" {
		return "", errors.New("a request without a principal got past the guard")
	}
	if principal.Subject == principal.Client {
		return "", problem.New(problem.Forbidden, "This needs the token of a guest, not of a service.")
	}
	return principal.Subject, nil
}

// named is the id in the path, which may be of no charge.
func named(r *http.Request) (string, error) {
	id := chi.URLParam(r, "charge")
	if !hotel.ValidID(id) {
		return "", problem.New(problem.NotFound, "")
	}
	return id, nil
}

// unknown is the answer while the bank has not said what became of a charge.
func unknown() error {
	return problem.New(problem.Unavailable, "The bank has not answered: the charge is pending.").With("Retry-After", strconv.Itoa(retryAfter))
}

// public turns what storage says into what the caller may know.
func public(err error) error {
	if errors.Is(err, errNone) {
		return problem.New(problem.NotFound, "")
	}
	return err
}

// sentence makes an error's text a public sentence.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
