package sandbox

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/go-chi/chi/v5"

	"portcullis/services/chassis"
	"portcullis/services/problem"
)

//go:embed partners
var partners embed.FS

// The partner chains there are.
const (
	Aurora = "aurora"
	Baltic = "baltic"
)

// Partner is a hotel chain with an API of its own. Rooms and bookings are kept
// in memory until the process ends.
type Partner struct {
	control control
	handler http.Handler
	hotels  []partnerHotel

	mu sync.Mutex
	// taken counts the rooms that are let, by hotel and night.
	taken map[string]map[day]int
	// bookings by the key they were made or cancelled with.
	bookings map[string]*partnerBooking
	made     int
}

// partnerMoney is in minor units.
type partnerMoney struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// partnerHotel is a hotel as the chain describes it.
type partnerHotel struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	City    string       `json:"city"`
	Country string       `json:"country"`
	About   string       `json:"about"`
	Rooms   int          `json:"rooms"`
	Sleeps  int          `json:"sleeps"`
	Price   partnerMoney `json:"price"`
}

// partnerOffer is a hotel with a room for the nights that were asked for.
type partnerOffer struct {
	partnerHotel
	Free  int          `json:"free"`
	Total partnerMoney `json:"total"`
}

// NewPartner makes one of the chains.
func NewPartner(name string) (*Partner, error) {
	raw, err := partners.ReadFile("partners/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("there is no partner %q", name)
	}
	p := &Partner{taken: map[string]map[day]int{}, bookings: map[string]*partnerBooking{}}
	if err := json.Unmarshal(raw, &p.hotels); err != nil {
		return nil, fmt.Errorf("the hotels of %s: %w", name, err)
	}
	router := chi.NewRouter()
	router.Use(http.NewCrossOriginProtection().Handler)
	router.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		complain(w, http.StatusNotFound, "there is nothing here")
	})
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, problem.New(problem.MethodNotAllowed, ""), chassis.RequestID(r.Context()))
	})
	router.Get("/offers", p.offers)
	router.Get("/hotels/{hotel}", p.hotel)
	router.Get("/bookings", p.list)
	router.Post("/bookings", p.book)
	router.Get("/bookings/{key}", p.booking)
	router.Delete("/bookings/{key}", p.cancel)
	p.handler = p.control.wrap(router)
	return p, nil
}

// Handler serves the chain's API and its control.
func (p *Partner) Handler() http.Handler { return p.handler }

// offers serves GET /offers?city&from&to&guests.
func (p *Partner) offers(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	nights, err := parseNights(q.Get("from"), q.Get("to"))
	guests, numeric := strconv.Atoi(q.Get("guests"))
	if err != nil || numeric != nil || guests < 1 || q.Get("city") == "" {
		complain(w, http.StatusBadRequest, "give city, from, to (YYYY-MM-DD) and guests")
		return
	}
	found := []partnerOffer{}
	p.mu.Lock()
	for _, h := range p.hotels {
		if free := p.free(h, nights); free > 0 && h.Sleeps >= guests && strings.EqualFold(h.City, q.Get("city")) {
			found = append(found, partnerOffer{partnerHotel: h, Free: free, Total: h.total(nights)})
		}
	}
	p.mu.Unlock()
	reply(w, http.StatusOK, map[string]any{"hotels": found})
}

// hotel serves GET /hotels/{hotel}.
func (p *Partner) hotel(w http.ResponseWriter, r *http.Request) {
	if h := p.find(chi.URLParam(r, "hotel")); h != nil {
		reply(w, http.StatusOK, h)
		return
	}
	complain(w, http.StatusNotFound, "there is no such hotel")
}

func (p *Partner) find(id string) *partnerHotel {
	for i := range p.hotels {
		if p.hotels[i].ID == id {
			return &p.hotels[i]
		}
	}
	return nil
}

// free is how many rooms are free on every night.
func (p *Partner) free(h partnerHotel, nights nights) int {
	most := 0
	for night := nights.from; night < nights.to; night++ {
		most = max(most, p.taken[h.ID][night])
	}
	return h.Rooms - most
}

func (h partnerHotel) total(nights nights) partnerMoney {
	return partnerMoney{Amount: h.Price.Amount * int64(nights.to-nights.from), Currency: h.Price.Currency}
}
