package booking

import (
	"context"
	"errors"
	"net/http"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
)

const (
	// maxPartners bounds how many chains one search asks.
	maxPartners = 8
	// partnerPatience is how long the page waits for them; what comes later is
	// not shown.
	partnerPatience = 8 * time.Second
)

type searchData struct {
	Form   wishForm
	Wish   wish
	Offers []hotel.Offer
	// Waiting are the titles of the chains that have not answered yet.
	Waiting []string
	// Partner is the chain that has just answered.
	Partner hotel.Partner
	Failed  bool
	// AsOf is when our rooms were counted, if that was not just now.
	AsOf *time.Time
	// Found is how many hotels there are in all.
	Found int
}

// answered is what a partner chain said.
type answered struct {
	partner hotel.Partner
	offers  []hotel.Offer
	err     error
}

// search serves GET /search: our own hotels at once, those of partners as each
// of them answers. It is one document, sent in pieces, and needs no script.
func (s *Service) search(v *visit) error {
	q, err := v.query()
	if err != nil {
		return err
	}
	d := searchData{Form: v.typed(q)}
	w := view{Title: "Search", Kind: "search", Scripts: []string{"stay.js", "search.js"}}
	var ok bool
	if d.Wish, ok = d.Form.wish(v.today()); !ok {
		w.Problem, w.Data = true, d
		return v.show(http.StatusUnprocessableEntity, "search-again", w)
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), partnerPatience)
	defer cancel() // partners that are too slow are not waited for
	subject := v.browsing()
	partners := s.askPartners(ctx, subject, d.Wish)

	found, err := s.offers(v.r.Context(), subject, d.Wish)
	if no, isNo := errors.AsType[*peer.Refusal](err); isNo && no.Status() == http.StatusUnprocessableEntity {
		d.Form.Wrong["city"] = "We cannot search for this. Check the city and the days."
		w.Problem, w.Data = true, d
		return v.show(http.StatusUnprocessableEntity, "search-again", w)
	}
	if err != nil {
		return err
	}
	d.AsOf = found.AsOf
	return v.stream(w, d, found.Hotels, partners)
}

// stream writes the results in the order in which they come.
func (v *visit) stream(w view, d searchData, own []hotel.Offer, partners func(wait bool) (names []string, next *answered)) error {
	w.Title = "Rooms in " + d.Wish.City
	piece := func(names ...string) error {
		w.Data = d
		out, err := v.render(v.view(w), names...)
		if err != nil {
			return err
		}
		if !v.begun {
			v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
			v.w.WriteHeader(http.StatusOK)
			v.begun = true
		}
		if _, err := v.w.Write(out); err != nil {
			return err
		}
		return http.NewResponseController(v.w).Flush()
	}
	d.Offers, d.Found = own, len(own)
	d.Waiting, _ = partners(false)
	if err := piece("top", "search-own"); err != nil {
		return err
	}
	for {
		names, next := partners(true)
		if next == nil {
			break
		}
		d.Partner, d.Offers, d.Failed, d.Waiting = next.partner, next.offers, next.err != nil, names
		d.Found += len(next.offers)
		if next.err != nil {
			v.s.config.Log.Info("a partner did not answer", "request_id", v.requestID(), "partner", next.partner.Name, "error", next.err.Error())
		}
		if err := piece("search-partner"); err != nil {
			return err
		}
	}
	return piece("search-end", "bottom")
}

// askPartners asks all of them at once. What it returns gives the titles of
// those who have not answered, and with wait the next who does; nil when all
// have.
func (s *Service) askPartners(ctx context.Context, subject string, w wish) func(wait bool) ([]string, *answered) {
	type listed struct {
		all []hotel.Partner
		err error
	}
	known := make(chan listed, 1)
	answers := make(chan answered, maxPartners)
	go func() {
		all, err := s.partners(ctx, subject)
		all = all[:min(len(all), maxPartners)]
		known <- listed{all, err}
		for _, p := range all {
			go func() {
				found, err := s.partnerOffers(ctx, subject, p.Name, w)
				answers <- answered{p, found.Hotels, err}
			}()
		}
	}()
	var waiting []hotel.Partner
	asked, told := false, false
	titles := func() (names []string) {
		for _, p := range waiting {
			names = append(names, p.Title)
		}
		return names
	}
	return func(wait bool) ([]string, *answered) {
		if !asked {
			asked = true
			list := <-known
			waiting = list.all
			if list.err != nil {
				told = true
				waiting = []hotel.Partner{{Title: "Partner hotels"}}
			}
		}
		if !wait || len(waiting) == 0 {
			return titles(), nil
		}
		if told { // the list itself could not be had
			p := waiting[0]
			waiting = nil
			return nil, &answered{partner: p, err: errors.New("the list of partners could not be had")}
		}
		next := <-answers // each answers: its call ends with ctx
		for i, p := range waiting {
			if p.Name == next.partner.Name {
				waiting = append(waiting[:i:i], waiting[i+1:]...)
				break
			}
		}
		return titles(), &next
	}
}
