package reservations_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/wire"
	"portcullis/services/internal/wiretest"
	"portcullis/services/problem"
)

const (
	good     = "4242424242424242"
	noMoney  = "4000000000009995"
	cardWith = `{"number":%q,"expiry":"11/77","code":"9091","holder":"Canary Holder"}`
)

// outside plays all that reservations calls but search: payments with its bank,
// reporting, users and the partner aurora. They keep what they did, as the real
// ones would, while processes of ours come and go.
type outside struct {
	w      *world
	server map[string]*httptest.Server

	mu      sync.Mutex
	charges map[string]*hotel.Charge
	cards   []string
	mails   []string
	taken   map[string]int // how often the bank took money, by charge
	given   map[string]int // how often it gave it back
	// documents and events by id; told counts the tellings.
	documents map[string]hotel.DocumentRequest
	events    map[string]hotel.Event
	order     []string
	rooms     map[string]bool // the partner's bookings: false once cancelled
	dearer    int64           // what the partner wants more than search says
	calls     []string
	// meddle may spoil a call; it is asked before and after the work was done.
	meddle func(call string, n int, done bool) verdict
}

// verdict is what becomes of a call.
type verdict int

const (
	goOn verdict = iota
	die          // our process ends at this moment
	cut          // the connection breaks
	busy         // 503; only before the work
)

func newOutside(w *world) *outside {
	o := &outside{
		w: w, server: map[string]*httptest.Server{}, charges: map[string]*hotel.Charge{}, taken: map[string]int{}, given: map[string]int{},
		documents: map[string]hotel.DocumentRequest{}, events: map[string]hotel.Event{}, rooms: map[string]bool{},
	}
	for name, routes := range map[string]func(chi.Router){"payments": o.payments, "reporting": o.reporting, "users": o.users, "aurora": o.aurora} {
		router := chi.NewRouter()
		router.Use(o.spoil(name))
		routes(router)
		o.server[name] = httptest.NewUnstartedServer(router)
		o.server[name].Config.ErrorLog = w.quiet()
		o.server[name].EnableHTTP2 = true // or a hundred guests at once are as many handshakes
		o.server[name].StartTLS()
		w.t.Cleanup(o.server[name].Close)
	}
	return o
}

// spoil lets the test meddle with each call.
func (o *outside) spoil(name string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			o.mu.Lock()
			call := name + " " + r.Method + " " + r.URL.Path
			o.calls = append(o.calls, call)
			n, meddle := len(o.calls), o.meddle
			o.mu.Unlock()
			if meddle == nil {
				next.ServeHTTP(rw, r)
				return
			}
			if meddle(call, n, false).act(o.w, rw, r) {
				return
			}
			recorded := httptest.NewRecorder()
			next.ServeHTTP(recorded, r)
			if meddle(call, n, true).act(o.w, rw, r) {
				return
			}
			for name, values := range recorded.Header() {
				rw.Header()[name] = values
			}
			rw.WriteHeader(recorded.Code)
			_, _ = rw.Write(recorded.Body.Bytes())
		})
	}
}

func (v verdict) act(w *world, rw http.ResponseWriter, r *http.Request) bool {
	switch v {
	case die:
		w.service.Kill()
		panic(http.ErrAbortHandler)
	case cut:
		panic(http.ErrAbortHandler)
	case busy:
		problem.Write(rw, r, problem.New(problem.Unavailable, "").With("Retry-After", "9"), "")
		return true
	}
	return false
}

func (o *outside) with(meddle func(call string, n int, done bool) verdict) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls, o.meddle = nil, meddle
}

func (o *outside) payments(router chi.Router) {
	guard := wiretest.Guard(o.w.t, o.w.issuer, "payments")
	router.With(guard.Require(hotel.ScopeChargesWrite)).Post(hotel.PathCharges, o.charge)
	settle := guard.Require(hotel.ScopeChargesSettle)
	router.With(settle).Get(hotel.PathCharge, func(rw http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if c := o.charges[chi.URLParam(r, "charge")]; c != nil {
			_ = wire.Answer(rw, http.StatusOK, c)
			return
		}
		problem.Write(rw, r, problem.New(problem.NotFound, ""), "")
	})
	router.With(settle).Post(hotel.PathChargeVoid, func(rw http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		id := chi.URLParam(r, "charge")
		if o.charges[id] == nil {
			o.charges[id] = &hotel.Charge{ID: id, Status: hotel.ChargePending}
		}
		if c := o.charges[id]; c.Status != hotel.ChargeDeclined {
			if c.Status == hotel.ChargeApproved {
				o.given[id]++
			}
			c.Status = hotel.ChargeVoided
		}
		_ = wire.Answer(rw, http.StatusOK, o.charges[id])
	})
	router.With(settle).Post(hotel.PathChargeRefund, func(rw http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		c := o.charges[chi.URLParam(r, "charge")]
		if c == nil || (c.Status != hotel.ChargeApproved && c.Status != hotel.ChargeRefunded) {
			problem.Write(rw, r, problem.New(problem.Conflict, ""), "")
			return
		}
		if c.Status == hotel.ChargeApproved {
			o.given[c.ID]++
		}
		c.Status = hotel.ChargeRefunded
		_ = wire.Answer(rw, http.StatusOK, c)
	})
}

func (o *outside) charge(rw http.ResponseWriter, r *http.Request) {
	var ask hotel.ChargeRequest
	if err := wire.Decode(rw, r, &ask); err != nil {
		o.w.t.Error(err)
	}
	p, _ := token.FromContext(r.Context())
	if p.Actor != "reservations" || p.Subject == "reservations" || r.Header.Get("Idempotency-Key") != ask.Reservation {
		o.w.t.Errorf("a charge of %q by %q with key %q", p.Subject, p.Actor, r.Header.Get("Idempotency-Key"))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.charges[ask.Reservation]
	if c == nil {
		c = &hotel.Charge{ID: ask.Reservation, Guest: p.Subject, Amount: ask.Amount, Status: hotel.ChargeApproved, Last4: ask.Card.Number[12:], Created: time.Unix(0, 0)}
		if ask.Card.Number == noMoney {
			c.Status, c.Declined = hotel.ChargeDeclined, "There is not enough money on 4000 0000 0000 9995."
		} else {
			o.taken[c.ID]++
		}
		o.charges[c.ID] = c
		o.cards = append(o.cards, ask.Card.Number)
		o.mails = append(o.mails, ask.ReceiptTo)
	}
	switch c.Status {
	case hotel.ChargeApproved:
		_ = wire.Answer(rw, http.StatusCreated, c)
	case hotel.ChargeDeclined:
		problem.Write(rw, r, problem.New(problem.PaymentDeclined, c.Declined), "")
	default:
		problem.Write(rw, r, problem.New(problem.Conflict, ""), "")
	}
}

func (o *outside) reporting(router chi.Router) {
	router.With(wiretest.Guard(o.w.t, o.w.issuer, "reporting").Require(hotel.ScopeDocumentsWrite)).Post(hotel.PathDocuments, func(rw http.ResponseWriter, r *http.Request) {
		var ask hotel.DocumentRequest
		if err := wire.Decode(rw, r, &ask); err != nil {
			o.w.t.Error(err)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if before, known := o.documents[ask.ID]; known && !reflect.DeepEqual(before, ask) {
			o.w.t.Errorf("the document %s was asked for as %+v and as %+v", ask.ID, before.Reservation, ask.Reservation)
		}
		o.documents[ask.ID] = ask
		_ = wire.Answer(rw, http.StatusCreated, hotel.Document{ID: ask.ID, Kind: ask.Kind, Guest: ask.Guest})
	})
}

func (o *outside) users(router chi.Router) {
	router.With(wiretest.Guard(o.w.t, o.w.issuer, "users").Require(hotel.ScopeEventsWrite)).Post(hotel.PathEvents, func(rw http.ResponseWriter, r *http.Request) {
		var e hotel.Event
		if err := wire.Decode(rw, r, &e); err != nil {
			o.w.t.Error(err)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if _, known := o.events[e.ID]; !known {
			o.order = append(o.order, string(e.Kind))
		}
		o.events[e.ID] = e
		rw.WriteHeader(http.StatusNoContent)
	})
}

// aurora is a partner with one room for every night: a plain API without tokens.
func (o *outside) aurora(router chi.Router) {
	router.Post("/bookings", func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			o.w.t.Error("a token of ours left the house")
		}
		key := r.Header.Get("Idempotency-Key")
		var ask struct {
			Hotel string `json:"hotel"`
			hotel.Stay
			Guests int    `json:"guests"`
			Name   string `json:"name"`
		}
		if err := wire.Decode(rw, r, &ask); err != nil || ask.Hotel != "h-3" {
			o.w.t.Errorf("%v, %+v", err, ask)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if live, known := o.rooms[key]; known {
			if !live {
				rw.WriteHeader(http.StatusConflict)
				return
			}
		} else {
			for _, live := range o.rooms {
				if live {
					rw.WriteHeader(http.StatusConflict)
					return
				}
			}
			o.rooms[key] = true
		}
		_ = wire.Answer(rw, http.StatusCreated, map[string]any{"id": "b-1", "total": hotel.Money{Amount: int64(ask.Nights())*10000 + o.dearer, Currency: "EUR"}})
	})
	router.Delete("/bookings/{key}", func(rw http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.rooms[chi.URLParam(r, "key")] = false
		rw.WriteHeader(http.StatusNoContent)
	})
}
