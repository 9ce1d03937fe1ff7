package search

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/wire"
	"portcullis/services/problem"
)

const (
	// partnerPageFresh is how long a partner's page of a hotel stands for a new
	// one: it seldom changes, and one guest asks for it several times.
	partnerPageFresh = 10 * time.Second
	// maxPartnerName bounds a partner's name, so that enough of an id is left for
	// its hotels.
	maxPartnerName = 16
)

// Partner is a chain whose hotels are offered beside our own.
type Partner struct {
	// Name begins the ids of its hotels: small letters, digits and hyphens.
	Name string
	// Title is its name for people.
	Title string
	// Client asks it.
	Client *peer.Outside
}

func checkPartners(partners []Partner) error {
	seen := map[string]bool{}
	for _, p := range partners {
		switch {
		case !validPartner(p.Name):
			return fmt.Errorf("%.40q is no name for a partner: it has 1 to %d small letters, digits and hyphens", p.Name, maxPartnerName)
		case seen[p.Name]:
			return fmt.Errorf("the partner %q is given twice", p.Name)
		case p.Title == "" || p.Client == nil:
			return fmt.Errorf("the partner %q needs a title and a client", p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}

// validPartner leaves out the dot, which ends the name in a hotel's id.
func validPartner(name string) bool {
	return hotel.ValidID(name) && len(name) <= maxPartnerName && !strings.ContainsAny(name, "._") && name == strings.ToLower(name)
}

// partner returns the partner of a name, or nil.
func (s *Service) partner(name string) *Partner {
	for i := range s.config.Partners {
		if s.config.Partners[i].Name == name {
			return &s.config.Partners[i]
		}
	}
	return nil
}

// partnerOf returns whose hotel an id names, and the id it has there; nil when
// it is one of ours.
func (s *Service) partnerOf(id string) (p *Partner, theirs string) {
	name, theirs, dotted := strings.Cut(id, ".")
	if !dotted {
		return nil, ""
	}
	return s.partner(name), theirs
}

// partners serves GET /v1/partners.
func (s *Service) partners(w http.ResponseWriter, _ *http.Request) error {
	answer := hotel.Partners{Partners: []hotel.Partner{}}
	for _, p := range s.config.Partners {
		answer.Partners = append(answer.Partners, hotel.Partner{Name: p.Name, Title: p.Title})
	}
	return wire.Answer(w, http.StatusOK, answer)
}

// partnerQuery is what one partner is asked.
type partnerQuery struct {
	partner string
	query
}

// partnerOffers serves GET /v1/partner-offers.
func (s *Service) partnerOffers(w http.ResponseWriter, r *http.Request) error {
	names := r.URL.Query()["partner"]
	if len(names) != 1 {
		return problem.New(problem.Unprocessable, "Give one partner.")
	}
	q, err := s.asked(r)
	if err != nil {
		return err
	}
	p := s.partner(names[0])
	if p == nil {
		return problem.New(problem.NotFound, "There is no such partner.")
	}
	found, _, err := s.offers.get(r.Context(), partnerQuery{p.Name, q}, func(ctx context.Context) ([]hotel.Offer, error) {
		return s.askOffers(ctx, p, q)
	})
	if err != nil {
		return err
	}
	answer := q.offers()
	answer.Hotels = append(answer.Hotels, found.value...)
	return wire.Answer(w, http.StatusOK, answer)
}

// askOffers asks a partner for its free rooms.
func (s *Service) askOffers(ctx context.Context, p *Partner, q query) ([]hotel.Offer, error) {
	parameters := url.Values{
		"city": {q.city}, "from": {q.stay.From.String()}, "to": {q.stay.To.String()}, "guests": {strconv.Itoa(q.guests)},
	}
	reply, err := p.Client.Ask(ctx, peer.Request{Method: http.MethodGet, Path: "/offers?" + parameters.Encode()})
	if err != nil {
		return nil, err
	}
	if reply.Status != http.StatusOK {
		return nil, p.nonsense(fmt.Errorf("it answered %d", reply.Status))
	}
	offers, wrong, err := readOffers(p.Name, reply, q)
	if err != nil {
		return nil, p.nonsense(err)
	}
	if wrong != nil {
		s.config.Log.Warn("a partner's offers are left out", "partner", p.Name, "error", wrong.Error())
	}
	for _, o := range offers {
		// Who saw an offer may well want to see the hotel.
		s.pages.put(o.ID, &o.Hotel)
	}
	return offers, nil
}

// partnerHotel returns a partner's hotel by the id it has there.
func (s *Service) partnerHotel(ctx context.Context, p *Partner, id string) (*hotel.Hotel, error) {
	if !hotel.ValidID(id) {
		return nil, problem.New(problem.NotFound, noSuchHotel)
	}
	found, _, err := s.pages.get(ctx, p.Name+"."+id, func(ctx context.Context) (*hotel.Hotel, error) {
		reply, err := p.Client.Ask(ctx, peer.Request{Method: http.MethodGet, Path: "/hotels/" + url.PathEscape(id)})
		switch {
		case err != nil:
			return nil, err
		case reply.Status == http.StatusNotFound:
			return nil, problem.New(problem.NotFound, noSuchHotel)
		case reply.Status != http.StatusOK:
			return nil, p.nonsense(fmt.Errorf("it answered %d", reply.Status))
		}
		h, err := readHotel(p.Name, id, reply)
		if err != nil {
			return nil, p.nonsense(err)
		}
		return h, nil
	})
	return found.value, err
}

// nonsense is the problem for a partner that cannot be understood.
func (p *Partner) nonsense(cause error) error {
	if told, ok := errors.AsType[*problem.Problem](cause); ok {
		cause = told.Cause
	}
	return problem.New(problem.BadGateway, "The partner's answer cannot be used.").Because(fmt.Errorf("partner %s: %w", p.Name, cause))
}
