package waf

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// What guests, clerks and programs of a hotel really send. None of it may be
// denied at paranoia 1 with the default threshold.
func TestOrdinaryHotelRequestsPass(t *testing.T) {
	for _, target := range []string{
		"/v1/hotels?city=Helsinki&from=2027-01-10&to=2027-01-12&guests=2",
		"/v1/hotels?city=Saint-%C3%89tienne&from=2027-01-10&to=2027-01-12&guests=1",
		"/v1/hotels?city=%E6%9D%B1%E4%BA%AC&from=2027-03-01&to=2027-03-05&guests=4",
		"/v1/hotels?city=S%C3%A3o+Paulo&guests=2",
		"/v1/hotels?city=L%27Aquila&guests=2",
		"/v1/hotels?city=%27s-Hertogenbosch&guests=2",
		"/v1/hotels?city=Val-d%27Or&sort=-price",
		"/v1/hotels?city=Stratford-upon-Avon&max_price=120.50&currency=EUR",
		"/v1/hotels?near=60.1699,24.9384&radius=5km",
		"/v1/hotels?amenities=wifi,breakfast,parking&page=2&per_page=50",
		"/v1/hotels?q=hotel+%26+spa",
		"/v1/hotels?q=%22Grand+Hotel%22",
		"/v1/hotels?q=select+rooms+with+a+sea+view",
		"/v1/hotels?q=bed+and+breakfast+or+hostel",
		"/v1/hotels?q=rooms+under+100",
		"/v1/hotels?name=O%27Callaghan",
		"/v1/hotels?updated_since=2027-01-10T12%3A30%3A00Z",
		"/v1/hotels?updated_since=2027-01-10T12%3A30%3A00%2B02%3A00",
		"/v1/hotels?filter=stars%3A4&filter=city%3AOulu",
		"/v1/hotels?cursor=eyJpZCI6MTIzLCJkaXIiOiJuZXh0In0%3D",
		"/v1/hotels/h-1",
		"/v1/hotels/550e8400-e29b-41d4-a716-446655440000",
		"/v1/hotels/hotel-k%C3%A4mp",
		"/v1/guests/g-7/reservations?status=open&limit=20",
		"/v1/guests/maija.virtanen@example.com/reservations",
		"/v1/reservations/r-0192f1c4?include=hotel,room",
		"/v1/hotels?redirect=%2Faccount%2Freservations",
		"/v1/hotels?lang=pt-BR&utm_source=newsletter&utm_medium=email&utm_campaign=winter_2027",
	} {
		t.Run("GET "+target, func(t *testing.T) { mustPass(t, request("GET", target, "", "")) })
	}
	for _, name := range []string{
		"Sinéad O'Connor", "Conan O'Brien", "Jean-Luc d'Arc", "María José Núñez", "Björk Guðmundsdóttir", "Nguyễn Văn Hậu",
		"Mr. & Mrs. Smith", "Иван Петров", "山田 太郎", "محمد علي", "Null", "Select Travel Ltd.", "D'Angelo & Sons (Group)", "Robert \"Bob\" Union",
	} {
		body, err := json.Marshal(map[string]any{"hotel": "h-1", "from": "2027-01-10", "to": "2027-01-12", "guests": 2, "name": name})
		if err != nil {
			t.Fatal(err)
		}
		t.Run("name in JSON "+name, func(t *testing.T) {
			mustPass(t, request("POST", "/v1/reservations", "application/json", string(body)))
		})
		t.Run("name in a form "+name, func(t *testing.T) {
			form := url.Values{"name": {name}, "guests": {"2"}}.Encode()
			mustPass(t, request("POST", "/v1/reservations", "application/x-www-form-urlencoded", form))
		})
	}
	for _, note := range []string{
		"Late arrival, around 23:30. Thank you!",
		"We'd like a quiet room; my wife can't sleep with traffic.",
		"Please don't put us next to the lift - it's noisy.",
		"Room on the top floor, or the one we had last year if it's free.",
		"2 adults + 1 child (3 years). Do you have a cot?",
		"Budget: 100-150 €/night, breakfast included = perfect.",
		"Two beds, not one. (Last time: one bed -> two guests!)",
		"Voisimmeko saada huoneen merinäköalalla? Tulemme myöhään.",
		"Nous arriverons à l'hôtel vers 22 h. Merci d'avance !",
		"Könnten wir ein ruhiges Zimmer haben? Grüße aus Köln",
		"¿Es posible una habitación con vistas? ¡Gracias!",
		"海が見える部屋をお願いします。",
		"Можно номер с видом на море? Спасибо!",
		"غرفة هادئة من فضلك",
		"Happy anniversary 🎉❤️ - flowers in the room, please",
		"Line one\nLine two\n\n- no feathers\n- extra towels",
		"Call me: +358 40 123 4567 or maija@example.com",
		"See https://www.example.com/our-wedding?id=12 for the party's plan",
		"Flight AY1234 / 10.01.2027, seat 12A; taxi at 9:15?",
		"I'm allergic to nuts, dairy & gluten; is that OK?",
		"Union meeting on the 12th: please select a room near the conference hall.",
		"100% sure we'll come, leave the key at reception from 6 to 8",
	} {
		body, err := json.Marshal(map[string]any{"hotel": "h-1", "from": "2027-01-10", "to": "2027-01-12", "guests": 2, "note": note})
		if err != nil {
			t.Fatal(err)
		}
		t.Run("note "+note, func(t *testing.T) {
			mustPass(t, request("POST", "/v1/reservations", "application/json", string(body)))
		})
	}
}

func mustPass(t *testing.T, tx *pipeline.Transaction) {
	t.Helper()
	tx.Request.Header.Set("Origin", "https://localhost:8443")
	tx.Request.Header.Set("Referer", "https://localhost:8443/search?city=Helsinki")
	tx.Request.Header.Set("Cookie", "theme=dark; consent=1")
	tx.Request.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if d := decide(t, tx); d.Kind != pipeline.Allow {
		t.Errorf("denied with a score of %d by %v: %v", tx.WAF.Score, tx.WAF.Rules, d.Problem)
	}
}

// Known false positives of the rules at paranoia 1, kept here so that they are
// known and so that a new version of the rules which mends one is noticed.
// Guests rarely write like this; where they do, the route needs an exclusion.
func TestKnownFalsePositives(t *testing.T) {
	for note, rule := range map[string]int{
		"We'll come by train; drop the key at reception": 942350,
		"'good' or 'great' = fine":                       942100,
		"union all stars select team":                    942190,
		"Wi-Fi; rm 204":                                  932125,
		"bash & zsh meetup":                              932230,
		"which room is at /etc/hosts?":                   930120,
	} {
		t.Run(note, func(t *testing.T) {
			body, err := json.Marshal(map[string]string{"note": note})
			if err != nil {
				t.Fatal(err)
			}
			tx := request("POST", "/v1/reservations", "application/json", string(body))
			if d := decide(t, tx); d.Kind != pipeline.Deny || !slices.Contains(tx.WAF.Rules, rule) {
				t.Errorf("decision %v with a score of %d by %v, once denied by %d", d.Kind, tx.WAF.Score, tx.WAF.Rules, rule)
			}
		})
	}
}
