package booking_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/authserver/token"
	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/wire"
	"portcullis/services/internal/wiretest"
	"portcullis/services/problem"
)

// call is what a neighbour saw of one request.
type call struct{ peer, method, path, subject, actor, key, body string }

// house is what the neighbours know and do.
type house struct {
	mu           sync.Mutex
	calls        []call
	hotels       []hotel.Hotel
	full         map[string]bool
	reservations []hotel.Reservation
	keys         map[string]string
	profile      *hotel.Profile
	charges      []hotel.Charge
	removal      *hotel.Removal
	// book answers a reservation; nil makes it confirmed.
	book func(w http.ResponseWriter, r *http.Request, made hotel.Reservation, store func(hotel.Reservation)) error
	// away are neighbours that answer 503.
	away map[string]bool
	// slow holds a partner's answer until it is closed; failing ones answer 503.
	slow    map[string]chan struct{}
	failing map[string]bool
	// refuses makes every neighbour answer 401, as to a token that was revoked.
	refuses bool
	// garbled has users answer a question for a removal with nonsense.
	garbled bool
	// open says that the guest has a booking that is still to come.
	open bool
	// asOf is when rooms were counted, if that was not just now.
	asOf *time.Time
}

func euro(amount int64) hotel.Money { return hotel.Money{Amount: amount, Currency: "EUR"} }

func newHouse() *house {
	h := &house{keys: map[string]string{}, full: map[string]bool{}, away: map[string]bool{}, slow: map[string]chan struct{}{}, failing: map[string]bool{}}
	add := func(id, name, city, country, about string, rooms, sleeps int, price hotel.Money, partner string) {
		h.hotels = append(h.hotels, hotel.Hotel{
			ID: id, Name: name, City: city, Country: country, About: about, Rooms: rooms, Sleeps: sleeps, Price: price, Partner: partner,
		})
	}
	add("h-2", "Kallio Courtyard", "Helsinki", "FI", "Quiet rooms round a courtyard, five tram stops from the station.", 18, 2, euro(8900), "")
	add("h-4", "Töölö Bay Rooms", "Helsinki", "FI", "Small rooms, large windows, the bay across the street.", 12, 2, euro(9900), "")
	add("h-5", "Suomenlinna Guest House", "Helsinki", "FI", "On the fortress island; the last ferry leaves at two.", 2, 4, euro(12500), "")
	add("h-1", "Katajanokka Pier Hotel", "Helsinki", "FI", "Brick warehouse by the harbour; sauna on the roof.", 24, 4, euro(14900), "")
	add("h-3", "Hotel Esplanadi", "Helsinki", "FI", "Facing the park; breakfast until eleven.", 40, 3, euro(18500), "")
	add("h-6", "Lighthouse Loft", "Helsinki", "FI", "One room at the top of a lighthouse. There is no lift.", 1, 2, euro(21000), "")
	add("h-12", "Söder Steps", "Stockholm", "SE", "At the top of 400 steps, or a lift.", 22, 2, hotel.Money{Amount: 139000, Currency: "SEK"}, "")
	add("aurora.h-3", "Aurora Senate Square", "Helsinki", "FI", "Under the cathedral; bells at noon.", 30, 2, euro(16900), "aurora")
	add("aurora.h-4", "Aurora Hietalahti", "Helsinki", "FI", "Above the flea market, across from the shipyard.", 30, 2, euro(13900), "aurora")
	add("baltic.b-1", "Baltic Terminal", "Helsinki", "FI", "Where the ships to Tallinn leave.", 90, 2, euro(10900), "baltic")
	return h
}

// peer starts a neighbour and makes its client. Only those that are asked for
// nobody have a credential of ours.
func (w *world) peer(name string, routes func(chi.Router)) *peer.Client {
	w.t.Helper()
	r := wire.Router()
	r.Use(wiretest.Guard(w.t, w.issuer, name).Require(), w.note(name))
	routes(r)
	server := httptest.NewTLSServer(r)
	w.t.Cleanup(server.Close)
	exchange, err := token.NewExchanger(token.ExchangerConfig{
		TokenURL: w.issuer.TokenURL(), ClientID: "booking", Audience: name, HTTP: w.issuer.HTTP(),
		Secret: func() (string, error) { return "secret", nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	source, err := token.NewSource(token.SourceConfig{
		TokenURL: w.issuer.TokenURL(), ClientID: "booking", Audience: name, HTTP: w.issuer.HTTP(),
		Secret: func() (string, error) { return "secret", nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := peer.New(peer.Config{
		Name: name, URL: server.URL, Credential: source, Exchange: exchange, Timeout: time.Minute, Connect: time.Minute,
		RequestID: chassis.RequestID, Log: slog.New(slog.DiscardHandler),
		TLS: server.Client().Transport.(*http.Transport).TLSClientConfig.Clone(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return client
}

// note remembers what a neighbour was asked, and for whom.
func (w *world) note(name string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			p, _ := token.FromContext(r.Context())
			h := w.hotel
			h.mu.Lock()
			h.calls = append(h.calls, call{name, r.Method, r.URL.RequestURI(), p.Subject, p.Actor, r.Header.Get("Idempotency-Key"), string(body)})
			away, refuses := h.away[name], h.refuses
			h.mu.Unlock()
			switch {
			case refuses:
				problem.Write(rw, r, problem.New(problem.InvalidToken, ""), "")
			case away:
				problem.Write(rw, r, problem.New(problem.Unavailable, "").With("Retry-After", "7"), "")
			default:
				next.ServeHTTP(rw, r)
			}
		})
	}
}

func handle(do func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return wire.Handler(slog.New(slog.DiscardHandler), do)
}

// offers are the hotels of a city with rooms, of us or of a partner.
func (h *house) offers(q url.Values, partner string) hotel.Offers {
	from, _ := hotel.ParseDate(q.Get("from"))
	to, _ := hotel.ParseDate(q.Get("to"))
	stay := hotel.Stay{From: from, To: to}
	found := hotel.Offers{City: q.Get("city"), Guests: 2, Nights: stay.Nights(), Stay: stay, Hotels: []hotel.Offer{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	found.AsOf = h.asOf
	for _, one := range h.hotels {
		if strings.EqualFold(one.City, found.City) && one.Partner == partner && !h.full[one.ID] {
			found.Hotels = append(found.Hotels, hotel.Offer{Hotel: one, Free: one.Rooms, Total: one.Price.Times(stay.Nights())})
		}
	}
	return found
}

func (w *world) search(r chi.Router) {
	h := w.hotel
	r.Get(hotel.PathHotels, handle(func(rw http.ResponseWriter, r *http.Request) error {
		return wire.Answer(rw, http.StatusOK, h.offers(r.URL.Query(), ""))
	}))
	r.Get(hotel.PathHotel, handle(func(rw http.ResponseWriter, r *http.Request) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, one := range h.hotels {
			if one.ID == chi.URLParam(r, "hotel") {
				return wire.Answer(rw, http.StatusOK, one)
			}
		}
		return problem.New(problem.NotFound, "")
	}))
	r.Get(hotel.PathPartners, handle(func(rw http.ResponseWriter, _ *http.Request) error {
		return wire.Answer(rw, http.StatusOK, hotel.Partners{Partners: []hotel.Partner{{Name: "aurora", Title: "Aurora Hotels"}, {Name: "baltic", Title: "Baltic Stays"}}})
	}))
	r.Get(hotel.PathPartnerOffers, handle(func(rw http.ResponseWriter, r *http.Request) error {
		name := r.URL.Query().Get("partner")
		h.mu.Lock()
		wait, fails := h.slow[name], h.failing[name]
		h.mu.Unlock()
		if wait != nil {
			select {
			case <-wait:
			case <-r.Context().Done():
			}
		}
		if fails {
			return problem.New(problem.Unavailable, "").With("Retry-After", "30")
		}
		return wire.Answer(rw, http.StatusOK, h.offers(r.URL.Query(), name))
	}))
}

func (w *world) reservations(r chi.Router) {
	h := w.hotel
	store := func(made hotel.Reservation) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if i := slices.IndexFunc(h.reservations, func(r hotel.Reservation) bool { return r.ID == made.ID }); i >= 0 {
			h.reservations[i] = made
			return
		}
		h.reservations = append([]hotel.Reservation{made}, h.reservations...)
	}
	find := func(r *http.Request) (hotel.Reservation, error) {
		p, _ := token.FromContext(r.Context())
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, one := range h.reservations {
			if one.ID == chi.URLParam(r, "reservation") && one.Guest == p.Subject {
				return one, nil
			}
		}
		return hotel.Reservation{}, problem.New(problem.NotFound, "")
	}
	r.Post(hotel.PathReservations, handle(func(rw http.ResponseWriter, r *http.Request) error {
		var ask hotel.ReservationRequest
		if err := wire.Decode(rw, r, &ask); err != nil {
			return err
		}
		p, _ := token.FromContext(r.Context())
		key := r.Header.Get("Idempotency-Key")
		h.mu.Lock()
		book := h.book
		made := hotel.Reservation{
			ID: fmt.Sprintf("r-%03d", len(h.reservations)+1), Hotel: ask.Hotel, Guest: p.Subject, Stay: ask.Stay, Guests: ask.Guests, Note: ask.Note,
			State: hotel.Confirmed, Created: time.Now().UTC(), Name: ask.Name,
		}
		for _, one := range h.hotels {
			if one.ID == ask.Hotel {
				made.HotelName, made.City, made.Total = one.Name, one.City, one.Price.Times(ask.Nights())
			}
		}
		made.Payment = &hotel.Payment{Method: hotel.AtHotel}
		if ask.Card != nil {
			made.Payment = &hotel.Payment{Method: hotel.ByCard, Status: hotel.ChargeApproved, Last4: ask.Card.Number[len(ask.Card.Number)-4:]}
			made.Receipt = "receipt-" + made.ID
		}
		if id, again := h.keys[key]; again {
			made.ID = id
		}
		h.keys[key] = made.ID
		h.mu.Unlock()
		if book != nil {
			return book(rw, r, made, store)
		}
		store(made)
		return wire.Answer(rw, http.StatusCreated, made)
	}))
	r.Get(hotel.PathReservation, handle(func(rw http.ResponseWriter, r *http.Request) error {
		one, err := find(r)
		if err != nil {
			return err
		}
		return wire.Answer(rw, http.StatusOK, one)
	}))
	r.Delete(hotel.PathReservation, handle(func(rw http.ResponseWriter, r *http.Request) error {
		one, err := find(r)
		if err != nil {
			return err
		}
		now := time.Now().UTC()
		one.State, one.Cancelled = hotel.Cancelled, &now
		store(one)
		rw.WriteHeader(http.StatusNoContent)
		return nil
	}))
	r.Get(hotel.PathGuestReservations, handle(func(rw http.ResponseWriter, r *http.Request) error {
		p, _ := token.FromContext(r.Context())
		if chi.URLParam(r, "guest") != p.Subject {
			return problem.New(problem.Forbidden, "")
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		page := hotel.Reservations{Reservations: []hotel.Reservation{}}
		for _, one := range h.reservations {
			if one.Guest == p.Subject {
				page.Reservations = append(page.Reservations, one)
			}
		}
		return wire.Answer(rw, http.StatusOK, page)
	}))
}

func (w *world) users(r chi.Router) {
	h := w.hotel
	r.Get(hotel.PathProfile, handle(func(rw http.ResponseWriter, _ *http.Request) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.profile == nil {
			return problem.New(problem.NotFound, "")
		}
		return wire.Answer(rw, http.StatusOK, h.profile)
	}))
	r.Put(hotel.PathProfile, handle(func(rw http.ResponseWriter, r *http.Request) error {
		var ask hotel.ProfileUpdate
		if err := wire.Decode(rw, r, &ask); err != nil {
			return err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.profile = &hotel.Profile{Guest: guest, Name: ask.Name, Email: ask.Email, Phone: ask.Phone, Updated: time.Now().UTC()}
		return wire.Answer(rw, http.StatusOK, h.profile)
	}))
	r.Get(hotel.PathExport, handle(func(rw http.ResponseWriter, _ *http.Request) error {
		return wire.Answer(rw, http.StatusOK, hotel.Export{Guest: guest, Made: time.Now().UTC(), Services: map[string]any{"users": map[string]any{"name": "Ada"}}})
	}))
	r.Post(hotel.PathRemoval, handle(func(rw http.ResponseWriter, _ *http.Request) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.open {
			return problem.New(problem.Conflict, "Cancel r-1 first.")
		}
		h.removal = &hotel.Removal{Guest: guest, Asked: time.Now().UTC(), Left: []string{"payments", "booking"}}
		return wire.Answer(rw, http.StatusAccepted, h.removal)
	}))
	r.Get(hotel.PathRemoval, handle(func(rw http.ResponseWriter, _ *http.Request) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.garbled {
			_, _ = io.WriteString(rw, "<html>")
			return nil
		}
		if h.removal == nil {
			return problem.New(problem.NotFound, "")
		}
		return wire.Answer(rw, http.StatusOK, h.removal)
	}))
}

// pdf is what reporting sends.
const pdf = "%PDF-1.7\nnot much of one\n%%EOF\n"

func (w *world) reporting(r chi.Router) {
	r.Get(hotel.PathDocument, handle(func(rw http.ResponseWriter, r *http.Request) error {
		if chi.URLParam(r, "document") == "receipt-missing" {
			return problem.New(problem.NotFound, "")
		}
		rw.Header().Set("Content-Type", "application/pdf")
		_, _ = io.WriteString(rw, pdf)
		return nil
	}))
	r.Get(hotel.PathProof, handle(func(rw http.ResponseWriter, r *http.Request) error {
		if chi.URLParam(r, "code") != "good-code" {
			return problem.New(problem.NotFound, "")
		}
		total, stay := euro(29800), weekend()
		return wire.Answer(rw, http.StatusOK, hotel.Proof{
			Document: chi.URLParam(r, "document"), Kind: hotel.Receipt, Date: hotel.Today(time.Now()), Hotel: "Katajanokka Pier Hotel", Stay: &stay,
			Total: &total, SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		})
	}))
}

func (w *world) payments(r chi.Router) {
	r.Get(hotel.PathGuestCharges, handle(func(rw http.ResponseWriter, _ *http.Request) error {
		w.hotel.mu.Lock()
		defer w.hotel.mu.Unlock()
		return wire.Answer(rw, http.StatusOK, hotel.Charges{Charges: w.hotel.charges})
	}))
}

// asked are the calls to a neighbour.
func (h *house) asked(peer, method string) (found []call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		if c.peer == peer && c.method == method {
			found = append(found, c)
		}
	}
	return found
}

// set changes the house under its lock.
func (h *house) set(change func(h *house)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}
