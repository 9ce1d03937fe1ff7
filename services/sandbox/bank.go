package sandbox

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
)

// maxBankCharges bounds what the bank remembers; then it takes no more until it
// is started again. The oldest cannot be dropped: their keys would be free.
const maxBankCharges = 100_000

// What became of a charge.
const (
	bankApproved = "approved"
	bankDeclined = "declined"
	bankVoided   = "voided"
	bankRefunded = "refunded"
)

// BankConfig is what the bank needs.
type BankConfig struct {
	// Key is the API key that clients must bring as a bearer token; empty for
	// none.
	Key string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Bank stands in for the bank that charges cards. It keeps its books in memory,
// each key once, whatever is repeated.
type Bank struct {
	config  BankConfig
	control control

	mu    sync.Mutex
	keys  map[string]*bankCharge
	order []*bankCharge // oldest first
}

// bankCharge is one key and what became of it. Nothing of a card is kept but
// its last digits.
type bankCharge struct {
	Key      string `json:"key"`
	ID       string `json:"id,omitempty"`
	Status   string `json:"status"`
	Reason   string `json:"reason,omitempty"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency,omitempty"`
	Last4    string `json:"last4,omitempty"`
	Refunded int64  `json:"refunded"`
}

// bankAnswer is what a client is told of a charge.
type bankAnswer struct {
	ID       string `json:"id,omitempty"`
	Status   string `json:"status"`
	Reason   string `json:"reason,omitempty"`
	Refunded int64  `json:"refunded,omitempty"`
}

func (c *bankCharge) answer() bankAnswer {
	return bankAnswer{ID: c.ID, Status: c.Status, Reason: c.Reason, Refunded: c.Refunded}
}

// NewBank opens a bank without customers.
func NewBank(c BankConfig) *Bank {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Bank{config: c, keys: map[string]*bankCharge{}}
}

// Handler serves the bank and its control.
func (b *Bank) Handler() http.Handler {
	r := chi.NewRouter()
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		complain(w, http.StatusNotFound, "there is nothing here")
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		complain(w, http.StatusMethodNotAllowed, "this method is not known here")
	})
	r.Use(b.known)
	r.Post("/charges", b.charge)
	r.Get("/charges", b.list)
	r.Get("/charges/{key}", b.show)
	r.Post("/charges/{key}/void", b.void)
	r.Post("/charges/{key}/refund", b.refund)
	return b.control.wrap(r)
}

// known lets in who has the API key.
func (b *Bank) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		brought := r.Header.Get("Authorization")
		if b.config.Key != "" && subtle.ConstantTimeCompare([]byte(brought), []byte("Bearer "+b.config.Key)) != 1 {
			complain(w, http.StatusUnauthorized, "the API key is missing or wrong")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// charge serves POST /charges.
func (b *Bank) charge(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" || len(key) > maxKey {
		complain(w, http.StatusBadRequest, "the header Idempotency-Key is missing or too long")
		return
	}
	var ask struct {
		Amount   int64    `json:"amount"`
		Currency string   `json:"currency"`
		Card     bankCard `json:"card"`
	}
	if err := readJSON(w, r, &ask); err != nil {
		complain(w, http.StatusBadRequest, "the body is not a charge") // the error might repeat a card's number
		return
	}
	if ask.Amount <= 0 || len(ask.Currency) != 3 || strings.ToUpper(ask.Currency) != ask.Currency {
		complain(w, http.StatusUnprocessableEntity, "the amount or the currency cannot be charged")
		return
	}
	status, reason := ask.Card.judge(b.config.Now())
	asked := &bankCharge{Key: key, Status: status, Reason: reason, Amount: ask.Amount, Currency: ask.Currency, Last4: ask.Card.last4()}

	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.keys[key]
	switch {
	case kept == nil && len(b.order) >= maxBankCharges:
		complain(w, http.StatusServiceUnavailable, "the books of this stand-in are full: start it again")
		return
	case kept == nil:
		b.keep(asked)
		kept = asked
	case kept.Status == bankVoided:
		complain(w, http.StatusConflict, "the key was voided")
		return
	case kept.Amount != asked.Amount || kept.Currency != asked.Currency || kept.Last4 != asked.Last4:
		complain(w, http.StatusConflict, "the key was used for another charge")
		return
	}
	if kept.Status == bankDeclined {
		reply(w, http.StatusPaymentRequired, kept.answer())
		return
	}
	reply(w, http.StatusCreated, kept.answer())
}

// keep writes a charge into the books. The caller holds the lock.
func (b *Bank) keep(c *bankCharge) {
	c.ID = "b-" + strings.ToLower(rand.Text())
	b.keys[c.Key] = c
	b.order = append(b.order, c)
}

// show serves GET /charges/{key}.
func (b *Bank) show(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.keys[chi.URLParam(r, "key")]
	if kept == nil {
		// In words: who asks must tell it from the 404 of anything on the way.
		reply(w, http.StatusNotFound, map[string]string{"status": "unknown", "error": "the key is not known"})
		return
	}
	reply(w, http.StatusOK, kept.answer())
}

// void serves POST /charges/{key}/void: whatever was taken is given back, and
// the key can never be charged any more, known or not.
func (b *Bank) void(w http.ResponseWriter, r *http.Request) {
	key := chi.URLParam(r, "key")
	if len(key) > maxKey {
		complain(w, http.StatusBadRequest, "the key is too long")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.keys[key]
	switch {
	case kept == nil && len(b.order) >= maxBankCharges:
		complain(w, http.StatusServiceUnavailable, "the books of this stand-in are full: start it again")
		return
	case kept == nil:
		kept = &bankCharge{Key: key, Status: bankVoided}
		b.keep(kept)
	case kept.Status == bankRefunded:
		complain(w, http.StatusConflict, "the charge was refunded")
		return
	default:
		kept.Status, kept.Reason = bankVoided, ""
	}
	reply(w, http.StatusOK, kept.answer())
}

// refund serves POST /charges/{key}/refund. Of a charge the whole amount can be
// refunded, once.
func (b *Bank) refund(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Amount int64 `json:"amount"`
	}
	if err := readJSON(w, r, &ask); err != nil {
		complain(w, http.StatusBadRequest, err.Error())
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.keys[chi.URLParam(r, "key")]
	switch {
	case kept == nil:
		complain(w, http.StatusNotFound, "the key is not known")
		return
	case kept.Status != bankApproved && kept.Status != bankRefunded:
		complain(w, http.StatusConflict, "nothing was charged under this key")
		return
	case ask.Amount != kept.Amount:
		complain(w, http.StatusUnprocessableEntity, "only the whole amount can be refunded")
		return
	}
	kept.Status, kept.Refunded = bankRefunded, kept.Amount
	reply(w, http.StatusOK, kept.answer())
}

// list serves GET /charges, for tests: the books, and what the hotel's account
// holds by currency.
func (b *Bank) list(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	books := struct {
		Charges []bankCharge     `json:"charges"`
		Balance map[string]int64 `json:"balance"`
	}{[]bankCharge{}, map[string]int64{}}
	for _, c := range b.order {
		books.Charges = append(books.Charges, *c)
		if c.Status == bankApproved {
			books.Balance[c.Currency] += c.Amount
		}
	}
	reply(w, http.StatusOK, books)
}
