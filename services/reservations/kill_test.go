package reservations_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"portcullis/services/hotel"
)

// A process is killed at every call it makes, before and after the neighbour
// has done its work: whatever it committed in between is committed then, and no
// more. Another one opens the database, and is killed at every call it makes in
// turn. The third ends what they left.
func TestKilledAtAnyPoint(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		cancel bool
	}{
		"a card that pays":                       {paying("h-1", good), false},
		"a card that does not":                   {paying("h-1", noMoney), false},
		"a partner's room by card":               {paying("aurora.h-3", good), false},
		"a partner's room and a card that fails": {paying("aurora.h-3", noMoney), false},
		"a partner's room paid there":            {`{"hotel":"aurora.h-3","from":"2027-01-10","to":"2027-01-12","guests":2}`, false},
		"our room paid at the hotel":             {lastRoom, false},
		"a cancellation":                         {paying("aurora.h-3", good), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it mostly waits
			for _, afterwards := range []bool{false, true} {
				for first := 1; ; first++ {
					if survived := killed(t, c.body, c.cancel, point{first, afterwards}, nil); survived {
						if first < 2 {
							t.Fatal("nobody was called")
						}
						break
					}
					for second := 1; ; second++ {
						if survived := killed(t, c.body, c.cancel, point{first, afterwards}, &point{second, afterwards}); survived {
							break
						}
					}
				}
			}
		})
	}
}

// point is the call at which a process is killed, counted from 1.
type point struct {
	call       int
	afterwards bool
}

// killed books, with a process that is killed at first and, if there is one, a
// next that is killed at second. It reports whether the last of them survived.
func killed(t *testing.T, body string, cancel bool, first point, second *point) (survived bool) {
	t.Helper()
	w := newWorld(t)
	name := fmt.Sprintf("killed at %+v and %+v", first, second)
	dead := false
	at := func(p point) {
		w.outside.with(func(_ string, n int, done bool) verdict {
			if n == p.call && done == p.afterwards {
				dead = true
				return die
			}
			return goOn
		})
	}
	if cancel {
		id := w.book("g-7", body).ID
		w.finish()
		if a := w.as("g-7", http.MethodDelete, "/v1/reservations/"+id, ""); a.StatusCode != http.StatusNoContent {
			t.Fatalf("%s: cancelling answered %d", name, a.StatusCode)
		}
		at(first)
	} else {
		at(first)
		w.unchecked("g-7", body)
	}
	if !dead {
		w.work(&dead)
	}
	survived = !dead
	if second != nil && dead {
		w.open()
		dead = false
		at(*second)
		w.work(&dead)
		survived = !dead
	}
	if dead {
		w.open()
	}
	w.outside.with(nil)
	w.finish()
	all := w.whole("g-7")
	if len(all) != 1 {
		t.Fatalf("%s: %d reservations", name, len(all))
	}
	if cancel && all[0].State != hotel.Cancelled {
		t.Errorf("%s: it is %s", name, all[0].State)
	}
	if free := w.free("h-1", 1); all[0].Hotel == "h-1" && (free == 0) != (all[0].State == hotel.Confirmed) {
		t.Errorf("%s: it is %s and %d rooms are free", name, all[0].State, free)
	}
	if t.Failed() {
		t.Fatal(name)
	}
	return survived
}

// work is what a process does until it is killed or nothing is left.
func (w *world) work(dead *bool) {
	w.t.Helper()
	for range 20 {
		err := w.service.Step(w.t.Context())
		if *dead {
			return
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if held, waiting, _, err := w.service.Left(w.t.Context()); err == nil && held+waiting == 0 {
			return
		}
		w.now.Add(31)
	}
}

// unchecked books without caring for the answer, which a process that is killed
// does not give.
func (w *world) unchecked(guest, body string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/v1/reservations", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.bearer(guest))
	r.Header.Set("Content-Type", "application/json")
	if resp, err := w.plain.Do(r); err == nil {
		_ = resp.Body.Close()
	}
}
