package search_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/wiretest"
	"portcullis/services/sandbox"
	"portcullis/services/search"
)

// chain is a partner of the sandbox over TLS, and what it was asked.
type chain struct {
	*testing.T
	*httptest.Server
	mu    sync.Mutex
	asked []*http.Request
}

func newChain(t *testing.T, name string) *chain {
	t.Helper()
	p, err := sandbox.NewPartner(name)
	if err != nil {
		t.Fatal(err)
	}
	c := &chain{T: t}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/control" {
			c.mu.Lock()
			c.asked = append(c.asked, r)
			c.mu.Unlock()
		}
		p.Handler().ServeHTTP(w, r)
	}))
	c.EnableHTTP2 = true
	c.StartTLS()
	t.Cleanup(func() { c.behave(); c.Server.Close() }) // a delay would hold up the end
	return c
}

func (c *chain) control(method, body string) {
	r, err := http.NewRequest(method, c.URL+"/control", strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	resp, err := c.Client().Do(r)
	if err != nil {
		c.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		c.Fatalf("the control answered %d", resp.StatusCode)
	}
}

func (c *chain) misbehave(how string) { c.Helper(); c.control(http.MethodPut, how) }
func (c *chain) behave()              { c.Helper(); c.control(http.MethodDelete, "") }

func (c *chain) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.asked)
}

// with has search offer partners' hotels, too.
func with(chains map[string]*chain) func(*search.Config) {
	return func(config *search.Config) {
		for _, name := range []string{"aurora", "baltic"} {
			c := chains[name]
			if c == nil {
				continue
			}
			client, err := peer.NewOutside(peer.OutsideConfig{
				Name: name, URL: c.URL, Log: discard(), Timeout: 3 * time.Second, Connect: waits,
				TLS: c.Client().Transport.(*http.Transport).TLSClientConfig.Clone(),
			})
			if err != nil {
				c.Fatal(err)
			}
			config.Partners = append(config.Partners, search.Partner{Name: name, Title: strings.ToUpper(name), Client: client})
		}
	}
}

func partnered(t *testing.T, change ...func(*search.Config)) (w *world, aurora, baltic *chain) {
	t.Helper()
	aurora, baltic = newChain(t, "aurora"), newChain(t, "baltic")
	return newWorld(t, append(change, with(map[string]*chain{"aurora": aurora, "baltic": baltic}))...), aurora, baltic
}

const offers = "/v1/partner-offers?city=Helsinki&from=2027-01-10&to=2027-01-12&guests=2&partner="

func TestThePartnersAreListed(t *testing.T) {
	w, aurora, baltic := partnered(t)
	var all hotel.Partners
	w.get("/v1/partners", &all)
	if want := []hotel.Partner{{Name: "aurora", Title: "AURORA"}, {Name: "baltic", Title: "BALTIC"}}; !slices.Equal(all.Partners, want) {
		t.Errorf("partners %v, want %v", all.Partners, want)
	}
	if aurora.count()+baltic.count() != 0 {
		t.Error("they were asked")
	}
	if newWorld(t).get("/v1/partners", &all); all.Partners == nil || len(all.Partners) != 0 {
		t.Errorf("without partners there are %v", all.Partners)
	}
}

func TestAPartnersOffersAreShownLikeOurs(t *testing.T) {
	w, aurora, baltic := partnered(t)
	var found hotel.Offers
	if resp := w.get(offers+"aurora", &found); resp.StatusCode != http.StatusOK || len(found.Hotels) != 3 {
		t.Fatalf("status %d, %d offers, want 3", resp.StatusCode, len(found.Hotels))
	}
	if found.City != "Helsinki" || found.Nights != 2 || found.Guests != 2 {
		t.Errorf("an answer to something else: %+v", found)
	}
	for _, o := range found.Hotels {
		if !strings.HasPrefix(o.ID, "aurora.") || o.Partner != "aurora" || o.Total != o.Price.Times(2) || o.Free < 1 {
			t.Errorf("an offer that does not fit: %+v", o)
		}
	}
	var h hotel.Hotel
	if w.get("/v1/hotels/aurora.h-1", &h); h != found.Hotels[1].Hotel && h != found.Hotels[0].Hotel {
		t.Errorf("the hotel is shown as %+v", h)
	}
	if aurora.count() != 1 || baltic.count() != 0 || w.asked.Load() != 0 {
		t.Errorf("Aurora was asked %d times, Baltic %d, reservations %d, want once and nobody else", aurora.count(), baltic.count(), w.asked.Load())
	}
}

func TestPartnersLearnNothingOfUsAndOfTheGuest(t *testing.T) {
	w, aurora, _ := partnered(t)
	w.get(offers+"aurora", nil)
	w.get("/v1/hotels/aurora.h-2", nil)
	aurora.mu.Lock()
	defer aurora.mu.Unlock()
	for _, r := range aurora.asked {
		for name := range r.Header {
			if !slices.Contains([]string{"Accept", "Accept-Encoding", "User-Agent"}, name) {
				t.Errorf("%s was sent %s: %s", r.URL.Path, name, r.Header.Get(name))
			}
		}
		if len(r.TLS.PeerCertificates) != 0 {
			t.Error("our certificate was shown")
		}
	}
}

func TestAPartnersHotelIsShownForAMoment(t *testing.T) {
	w, aurora, _ := partnered(t)
	for i, want := range []int{1, 1, 2} {
		var h hotel.Hotel
		if resp := w.get("/v1/hotels/aurora.h-3", &h); resp.StatusCode != http.StatusOK || h.ID != "aurora.h-3" || h.Partner != "aurora" || h.Rooms != 1 {
			t.Fatalf("status %d, hotel %+v", resp.StatusCode, h)
		}
		if aurora.count() != want {
			t.Errorf("after look %d Aurora was asked %d times, want %d", i, aurora.count(), want)
		}
		w.later(6 * time.Second)
	}
	w.neighbour.Close() // reservations may itself be waiting for this answer
	for path, status := range map[string]int{
		"aurora.h-1": 200, "aurora.h-99": 404, "aurora.": 404, "aurora.%2e%2e": 404, "aurora..": 404, "nobody.h-1": 404, "aurora.h-1.h-1": 404, "h-1": 200,
	} {
		if resp := w.get("/v1/hotels/"+path, nil); resp.StatusCode != status {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, status)
		}
	}
}

func TestAPartnerThatMisbehavesIsSaidToBeAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how    string
		status int
	}{
		"it is slow":               {`{"delay":"1m"}`, 503},
		"it fails":                 {`{"status":500}`, 503},
		"it is busy":               {`{"status":429}`, 503},
		"it hangs up":              {`{"cut":true}`, 503},
		"it wants somebody else":   {`{"status":401}`, 502},
		"it answers a page":        {`{"body":"<html>Under construction</html>"}`, 502},
		"it answers half":          {`{"body":"{\"hotels\":[{\"id\":"}`, 502},
		"it answers something":     {`{"body":"{\"rooms\":[]}"}`, 502},
		"its hotels are no hotels": {`{"body":"{\"hotels\":[{\"id\":\"h-1\"}]}"}`, 502},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, aurora, _ := partnered(t)
			aurora.misbehave(c.how)
			for _, path := range []string{offers + "aurora", "/v1/hotels/aurora.h-1"} {
				resp := w.get(path, nil) // and not what the slow one would say in the end
				if resp.StatusCode != c.status || (resp.Header.Get("Retry-After") != "") != (c.status == 503) {
					t.Errorf("%s: status %d, Retry-After %q, want %d", path, resp.StatusCode, resp.Header.Get("Retry-After"), c.status)
				}
			}
			// Nobody else suffers.
			for _, path := range []string{offers + "baltic", helsinki, "/v1/hotels/h-1"} {
				if resp := w.get(path, nil); resp.StatusCode != http.StatusOK {
					t.Errorf("%s: status %d", path, resp.StatusCode)
				}
			}
			aurora.behave()
			if resp := w.get(offers+"aurora", nil); resp.StatusCode != http.StatusOK {
				t.Errorf("when it behaved again: status %d", resp.StatusCode)
			}
		})
	}
}

func TestAPartnerInTroubleIsLeftAloneForAWhile(t *testing.T) {
	t.Parallel()
	w, aurora, baltic := partnered(t)
	aurora.misbehave(`{"status":503}`)
	for range 20 {
		w.get(offers+"aurora", nil)
	}
	if n := aurora.count(); n > 12 {
		t.Errorf("it was asked %d times though it failed each time", n)
	}
	if resp := w.get(offers+"baltic", nil); resp.StatusCode != http.StatusOK || baltic.count() != 1 {
		t.Errorf("the other one: status %d, asked %d times", resp.StatusCode, baltic.count())
	}
}

func TestAPartnerThatFailsOnceIsAskedAgain(t *testing.T) {
	w, aurora, _ := partnered(t)
	for _, how := range []string{`{"status":503,"times":1}`, `{"cut":true,"times":1}`} {
		aurora.misbehave(how)
		if resp := w.get(offers+"aurora", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", how, resp.StatusCode)
		}
	}
}

func TestSingleOffersThatMakeNoSenseAreLeftOut(t *testing.T) {
	w, aurora, _ := partnered(t)
	hotel1 := `{\"id\":\"h-1\",\"name\":\"Good\",\"city\":\"Helsinki\",\"country\":\"FI\",\"about\":\"\",\"sleeps\":2,\"free\":1,\"price\":{\"amount\":100,\"currency\":\"EUR\"},\"total\":{\"amount\":%d,\"currency\":\"EUR\"}}`
	aurora.misbehave(fmt.Sprintf(`{"body":"{\"hotels\":[`+hotel1+`,`+strings.ReplaceAll(hotel1, "h-1", "h-2")+`]}"}`, 200, 150))
	var found hotel.Offers
	if w.get(offers+"aurora", &found); len(found.Hotels) != 1 || found.Hotels[0].ID != "aurora.h-1" {
		t.Errorf("found %+v", found.Hotels)
	}
}

func TestPartnerOffersRefusesWhatMakesNoSense(t *testing.T) {
	w, aurora, baltic := partnered(t)
	for path, status := range map[string]int{
		offers + "nobody":                       404,
		offers:                                  404,
		strings.TrimSuffix(offers, "&partner="): 422,
		offers + "aurora&partner=baltic":        422,
		strings.Replace(offers, "2027-01-12", "2027-01-09", 1) + "aurora": 422,
		strings.Replace(offers, "guests=2", "guests=9", 1) + "aurora":     422,
	} {
		if resp := w.get(path, nil); resp.StatusCode != status {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, status)
		}
	}
	if aurora.count()+baltic.count() != 0 {
		t.Error("a partner was asked all the same")
	}
}

func TestAStrangersCertificateIsNoPartners(t *testing.T) {
	aurora := newChain(t, "aurora")
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	w := newWorld(t, func(config *search.Config) {
		client, err := peer.NewOutside(peer.OutsideConfig{
			Name: "aurora", URL: strings.Replace(aurora.URL, "127.0.0.1", "localhost", 1), Log: discard(), // a name it has no certificate for
			TLS: other.Client().Transport.(*http.Transport).TLSClientConfig.Clone(),
		})
		if err != nil {
			t.Fatal(err)
		}
		config.Partners = []search.Partner{{Name: "aurora", Title: "Aurora", Client: client}}
	})
	if resp := w.get(offers+"aurora", nil); resp.StatusCode != http.StatusServiceUnavailable || aurora.count() != 0 {
		t.Errorf("status %d, and it was asked %d times", resp.StatusCode, aurora.count())
	}
}

func TestPartnersThatCannotBe(t *testing.T) {
	client, err := peer.NewOutside(peer.OutsideConfig{Name: "x", URL: "https://localhost:1", Log: discard(), TLS: newChain(t, "aurora").TLS})
	if err != nil {
		t.Fatal(err)
	}
	for name, partners := range map[string][]search.Partner{
		"a name with a dot":      {{Name: "a.b", Title: "A", Client: client}},
		"a name with a capital":  {{Name: "Aurora", Title: "A", Client: client}},
		"no name":                {{Title: "A", Client: client}},
		"a name that is long":    {{Name: "abcdefghijklmnopq", Title: "A", Client: client}},
		"the same name twice":    {{Name: "a", Title: "A", Client: client}, {Name: "a", Title: "B", Client: client}},
		"nobody to ask":          {{Name: "a", Title: "A"}},
		"nothing to be shown as": {{Name: "a", Client: client}},
	} {
		w := newWorld(t)
		_, err := search.New(t.Context(), search.Config{
			Path: t.TempDir() + "/search.db", Guard: wiretest.Guard(w.t, w.issuer, "search"), Reservations: new(peer.Client), Log: discard(), Partners: partners,
		})
		if err == nil || !strings.Contains(err.Error(), "partner") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
