package search

import (
	"log/slog"
	"path/filepath"
	"testing"
	"unicode"
	"unicode/utf8"

	"portcullis/authserver/token"
	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/store"
)

func seeded(t *testing.T) *Service {
	t.Helper()
	s, err := New(t.Context(), Config{
		Path: filepath.Join(t.TempDir(), "search.db"), Reservations: new(peer.Client), Guard: new(token.Guard), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (s *Service) all(t *testing.T) (hotels []hotel.Hotel) {
	t.Helper()
	rows, err := s.store.Read().QueryContext(t.Context(), selectHotel)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		h, err := scan(rows)
		if err != nil {
			t.Fatal(err)
		}
		hotels = append(hotels, h)
	}
	return hotels
}

func TestTheHotelsAreWorthShowing(t *testing.T) {
	hotels := seeded(t).all(t)
	cities, countries, scripts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	smallest, largest := 1000, 0
	for _, h := range hotels {
		cities[h.City], countries[h.Country] = true, true
		for name, table := range map[string]*unicode.RangeTable{"Latin": unicode.Latin, "Greek": unicode.Greek, "Cyrillic": unicode.Cyrillic} {
			for _, r := range h.Name {
				scripts[name] = scripts[name] || unicode.Is(table, r)
			}
		}
		smallest, largest = min(smallest, h.Rooms), max(largest, h.Rooms)
		if n := utf8.RuneCountInString(h.About); n < 120 || n > 300 {
			t.Errorf("%s is described in %d characters", h.ID, n)
		}
		if !plain(h.Name, maxSaidName) || !plain(h.About, maxSaidAbout) || !hotel.ValidID(h.ID) || h.Sleeps > hotel.MaxGuests {
			t.Errorf("a hotel that we would not take of a partner: %+v", h)
		}
	}
	if len(hotels) < 40 || len(cities) < 12 || len(countries) < 12 || len(scripts) != 3 || smallest != 1 || largest < 100 {
		t.Errorf("%d hotels in %d cities of %d countries, names in %v, with %d to %d rooms", len(hotels), len(cities), len(countries), scripts, smallest, largest)
	}
}

// Reservations that were made before remember ids, and prices were agreed.
func TestTheFirstHotelsKeptWhatTheyCost(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "search.db")
	first, err := store.Open(ctx, path, migrations()[:2])
	if err != nil {
		t.Fatal(err)
	}
	before := (&Service{store: first}).all(t)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := store.Open(ctx, path, migrations())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	now := &Service{store: second}
	for _, was := range before {
		is, err := now.byID(ctx, was.ID)
		if err != nil {
			t.Fatal(err)
		}
		if is.About == was.About {
			t.Errorf("%s is described as before", is.ID)
		}
		if is.About = was.About; *is != was {
			t.Errorf("%+v, before %+v", *is, was)
		}
	}
	if len(before) != 38 {
		t.Errorf("%d hotels before", len(before))
	}
}

func TestACityIsFoundByWhatPeopleCallIt(t *testing.T) {
	s := seeded(t)
	for given, want := range map[string]string{
		"Helsinki": "Helsinki", "HELSINGFORS": "Helsinki", "reykjavik": "Reykjavík", "REYKJAVÍK": "Reykjavík", "København": "Copenhagen",
		"wien": "Vienna", "Αθήνα": "Athens", "ΑΘΗΝΑ": "Athens", "София": "Sofia", "  sofia ": "Sofia", "Dùn  Èideann": "Edinburgh",
		"Atlantis": "Atlantis", "'; DROP TABLE places; --": "'; DROP TABLE places; --",
	} {
		if got, err := s.place(t.Context(), given); got != want || err != nil {
			t.Errorf("%q is %q, error %v, want %q", given, got, err, want)
		}
	}
	for _, h := range s.all(t) {
		if got, err := s.place(t.Context(), h.City); got != h.City || err != nil {
			t.Errorf("the city of %s, %q, is %q, error %v", h.ID, h.City, got, err)
		}
		found, err := s.inCity(t.Context(), h.City, 1)
		if err != nil || len(found) == 0 {
			t.Errorf("%s: %d hotels, error %v", h.City, len(found), err)
		}
	}
	var strangers int
	if err := s.store.Read().QueryRow("SELECT count(*) FROM places WHERE city NOT IN (SELECT city FROM hotels)").Scan(&strangers); err != nil || strangers != 0 {
		t.Errorf("%d names are of cities without a hotel, error %v", strangers, err)
	}
}
