package limit_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/httprate"
)

func TestHttprateLimitsByThisEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := httprate.NewRateLimiter(10, time.Minute, httprate.WithLimitCounter(newEngine(t, 0).Counter()),
			httprate.WithKeyFuncs(func(r *http.Request) (string, error) { return r.Header.Get("Client"), nil }))
		h := limiter.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		ask := func(client string, n int) (ok int) {
			for range n {
				r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
				r.Header.Set("Client", client)
				if h.ServeHTTP(w, r); w.Code == http.StatusOK {
					ok++
				} else if w.Code != http.StatusTooManyRequests {
					t.Fatalf("status %d: %s", w.Code, w.Body)
				}
			}
			return ok
		}
		steps := []struct {
			name   string
			wait   time.Duration
			client string
			want   int
		}{
			{"the whole limit is there at once", 0, "a", 10},
			{"another key has its own", 0, "b", 10},
			{"the end of a window gives no second helping", 59 * time.Second, "a", 9},
			{"one interval gives one", 6 * time.Second, "a", 1},
			{"after a window of rest all is there again", time.Minute, "a", 10},
		}
		for _, step := range steps {
			time.Sleep(step.wait)
			if got := ask(step.client, 15); got != step.want {
				t.Errorf("%s: admitted %d, want %d", step.name, got, step.want)
			}
		}
	})
}

func TestTwoCountersOfOneEngineShareNoKeys(t *testing.T) {
	e := newEngine(t, 0)
	a, b := e.Counter(), e.Counter()
	for _, c := range []httprate.LimitCounter{a, b} {
		c.Config(10, time.Minute)
	}
	if err := a.IncrementBy("k", time.Now(), 4); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[int]httprate.LimitCounter{4: a, 0: b} {
		if got, previous, err := c.Get("k", time.Now(), time.Now()); got != want || previous != 0 || err != nil {
			t.Errorf("%d, %d, %v; want %d", got, previous, err, want)
		}
	}
}

func TestACounterThatNobodyConfiguredFails(t *testing.T) {
	c := newEngine(t, 0).Counter()
	if _, _, err := c.Get("k", time.Now(), time.Now()); err == nil {
		t.Error("it counted without a limit")
	}
	if err := c.Increment("k", time.Now()); err == nil {
		t.Error("it counted without a limit")
	}
}
