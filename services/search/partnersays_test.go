package search

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
)

func asked() query {
	return query{city: "Tallinn", stay: hotel.Stay{From: 20000, To: 20002}, guests: 2}
}

// offer is a good one with some fields replaced; nil removes one.
func offer(change map[string]any) string {
	o := map[string]any{
		"id": "h-1", "name": "Baltic Rotermann", "city": "Tallinn", "country": "EE", "about": "Brick and steel.", "sleeps": 3, "rooms": 9, "free": 4,
		"price": map[string]any{"amount": 9200, "currency": "EUR"}, "total": map[string]any{"amount": 18400, "currency": "EUR"},
	}
	for name, value := range change {
		if o[name] = value; value == nil {
			delete(o, name)
		}
	}
	raw, _ := json.Marshal(o)
	return string(raw)
}

func reply(offers ...string) peer.Reply {
	return peer.Reply{Status: 200, Body: []byte(`{"hotels":[` + strings.Join(offers, ",") + `]}`)}
}

func TestWhatAPartnerMaySay(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"all that is needed":             nil,
		"nothing of how many rooms":      {"rooms": nil},
		"nothing about it":               {"about": nil},
		"a name in Greek letters":        {"name": "Ξενώνας Ανεμώνη"},
		"the city without its accents":   {"city": "TÁLLINN"},
		"more than we know":              {"stars": 4},
		"a price as large as it may get": {"price": hotel.Money{Amount: maxSaidPrice, Currency: "ISK"}, "total": hotel.Money{Amount: 2 * maxSaidPrice, Currency: "ISK"}},
	} {
		offers, wrong, err := readOffers("baltic", reply(offer(change)), asked())
		if err != nil || wrong != nil || len(offers) != 1 {
			t.Errorf("%s: %d offers, %v, %v", name, len(offers), wrong, err)
			continue
		}
		if o := offers[0]; o.ID != "baltic.h-1" || o.Partner != "baltic" || o.Free != 4 || o.Rooms < o.Free {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestWhatAPartnerMayNotSay(t *testing.T) {
	money := func(amount any, currency string) map[string]any {
		return map[string]any{"amount": amount, "currency": currency}
	}
	for name, change := range map[string]map[string]any{
		"an id that steers a path":       {"id": "../../payments"},
		"an id that is too long":         {"id": strings.Repeat("h", 60)},
		"no id":                          {"id": nil},
		"an id that is a number":         {"id": 7},
		"no name":                        {"name": " "},
		"a novel for a name":             {"name": strings.Repeat("x", maxSaidName+1)},
		"a name that turns what follows": {"name": "Hotel \u202eletoH"},
		"a name of two lines":            {"name": "Hotel\nFree"},
		"bytes that are no letters":      {"about": "\ufffd"},
		"another city":                   {"city": "Riga"},
		"a country of three letters":     {"country": "EST"},
		"rooms for fewer guests":         {"sleeps": 1},
		"a room for a regiment":          {"sleeps": 500},
		"more rooms free than there are": {"free": 10},
		"fewer rooms free than none":     {"free": -1},
		"half a room":                    {"free": 1.5},
		"a million rooms":                {"rooms": 1_000_000},
		"a night for nothing":            {"price": money(0, "EUR"), "total": money(0, "EUR")},
		"money back":                     {"price": money(-100, "EUR"), "total": money(-200, "EUR")},
		"a price that overflows":         {"price": money(1<<62, "EUR"), "total": money(-1<<63, "EUR")},
		"cents of cents":                 {"price": money(92.5, "EUR")},
		"no currency":                    {"price": money(9200, "")},
		"a currency that is none":        {"price": money(9200, "ZZZ"), "total": money(18400, "ZZZ")},
		"no currency at all":             {"price": money(9200, "XXX"), "total": money(18400, "XXX")},
		"a currency in small letters":    {"price": money(9200, "eur"), "total": money(18400, "eur")},
		"a total that is not the nights": {"total": money(17000, "EUR")},
		"a total in another currency":    {"total": money(18400, "USD")},
	} {
		if offers, _, err := readOffers("baltic", reply(offer(change)), asked()); err == nil {
			t.Errorf("%s: taken as %+v", name, offers)
		}
		offers, wrong, err := readOffers("baltic", reply(offer(change), offer(map[string]any{"id": "h-2"})), asked())
		if err != nil || wrong == nil || len(offers) != 1 || offers[0].ID != "baltic.h-2" {
			t.Errorf("%s, beside a good one: %d offers, %v, %v", name, len(offers), wrong, err)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "a page": "<html>", "another object": `{"error":"no"}`, "null": "null", "no list": `{"hotels":{}}`, "numbers": `{"hotels":[1,2]}`,
	} {
		if _, _, err := readOffers("baltic", peer.Reply{Status: 200, Body: []byte(body)}, asked()); err == nil {
			t.Errorf("%s: taken for offers", name)
		}
		if _, err := readHotel("baltic", "h-1", peer.Reply{Status: 200, Body: []byte(body)}); err == nil {
			t.Errorf("%s: taken for a hotel", name)
		}
	}
	if offers, wrong, err := readOffers("baltic", reply(), asked()); len(offers) != 0 || wrong != nil || err != nil {
		t.Errorf("an empty list gave %d offers, %v, %v", len(offers), wrong, err)
	}
	if _, err := readHotel("baltic", "h-2", peer.Reply{Body: []byte(offer(nil))}); err == nil {
		t.Error("another hotel was taken for the one asked for")
	}
}

func TestOffersAreSortedBoundedAndOnlyOnce(t *testing.T) {
	var many []string
	for i := range 300 {
		amount := 10_000 + (i*7919)%5000
		many = append(many, offer(map[string]any{
			"id": fmt.Sprintf("h-%d", i), "price": hotel.Money{Amount: int64(amount), Currency: "EUR"}, "total": hotel.Money{Amount: int64(2 * amount), Currency: "EUR"},
		}))
	}
	offers, wrong, err := readOffers("baltic", reply(many...), asked())
	if err != nil || wrong != nil || len(offers) != maxFound {
		t.Fatalf("%d offers, %v, %v", len(offers), wrong, err)
	}
	for i := 1; i < len(offers); i++ {
		if offers[i].Price.Amount < offers[i-1].Price.Amount {
			t.Fatal("they are not sorted by price")
		}
	}
	offers, wrong, _ = readOffers("baltic", reply(offer(nil), offer(map[string]any{"free": 1}), offer(map[string]any{"id": "h-2", "free": 0})), asked())
	if len(offers) != 1 || offers[0].Free != 4 || wrong == nil {
		t.Errorf("%d offers, %v: want the first of the two that are one, and not the one that is full", len(offers), wrong)
	}
}

func FuzzReadOffers(f *testing.F) {
	f.Add(`{"hotels":[` + offer(nil) + `]}`)
	f.Add(`{"hotels":[{"id":"h-1","price":{"amount":9223372036854775807}}]}`)
	f.Add(`{"hotels":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		offers, _, err := readOffers("baltic", peer.Reply{Status: 200, Body: []byte(body)}, asked())
		if err != nil && offers != nil {
			t.Error("offers beside an error")
		}
		for _, o := range offers {
			if !hotel.ValidID(o.ID) || o.Free < 1 || o.Free > o.Rooms || o.Sleeps < 2 || o.Price.Amount < 1 || o.Total != o.Price.Times(2) || !strings.HasPrefix(o.ID, "baltic.") {
				t.Errorf("taken: %+v", o)
			}
		}
	})
}
