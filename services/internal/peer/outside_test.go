package peer_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"portcullis/services/internal/peer"
	"portcullis/services/problem"
)

func (n *neighbour) outside(t *testing.T, change ...func(*peer.OutsideConfig)) *peer.Outside {
	t.Helper()
	cfg := peer.OutsideConfig{
		Name: "bank", URL: n.URL + "/api/", Log: slog.New(slog.DiscardHandler),
		Timeout: time.Minute, Connect: time.Minute,
		TLS: n.Client().Transport.(*http.Transport).TLSClientConfig.Clone(),
	}
	for _, f := range change {
		f(&cfg)
	}
	o, err := peer.NewOutside(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func code(err error) problem.Code {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p.Code
	}
	return ""
}

func TestSomebodyOutsideGetsWhatIsMeantForThemAlone(t *testing.T) {
	n := newNeighbour(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.RequestURI() != "/api/rooms?floor=2" || r.Header.Get("Idempotency-Key") != "k-1" || r.Header.Get("X-Api-Key") != "secret" ||
			r.Header.Get("Content-Type") != "application/json" || string(body) != `{"beds":1}` {
			t.Errorf("%s %v %s", r.URL, r.Header, body)
		}
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Request-Id") != "" {
			t.Errorf("what is ours was sent along: %v", r.Header)
		}
		w.WriteHeader(http.StatusPaymentRequired)
		_, _ = io.WriteString(w, `{"beds":2}`)
	})
	given := http.Header{"X-Api-Key": {"secret"}}
	ctx := context.WithValue(t.Context(), idKey{}, "id-1")
	reply, err := n.outside(t).Ask(ctx, peer.Request{Method: http.MethodPost, Path: "/rooms?floor=2", In: room{1}, Header: given, Key: "k-1"})
	if err != nil || reply.Status != http.StatusPaymentRequired {
		t.Fatalf("status %d, error %v", reply.Status, err)
	}
	var out room
	if err := reply.Decode(&out); err != nil || out.Beds != 2 {
		t.Errorf("%d beds, error %v", out.Beds, err)
	}
	if len(given) != 1 {
		t.Errorf("the caller's fields became %v", given)
	}
}

func TestWhatSomebodyOutsideAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(n int64, w http.ResponseWriter, r *http.Request)
		status int
		code   problem.Code
		asked  int64
	}{
		"a refusal is an answer": {func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(409) }, 409, "", 1},
		"a redirect is not followed": {func(_ int64, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, 307, "", 1},
		"a failure is tried again": {func(n int64, w http.ResponseWriter, _ *http.Request) {
			if n < 3 {
				w.WriteHeader(503)
			}
		}, 200, "", 3},
		"a failure that stays": {func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 0, problem.Unavailable, 3},
		"a fault of theirs":    {func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 0, problem.Unavailable, 1},
		"too many requests": {func(_ int64, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "9")
			w.WriteHeader(429)
		}, 0, problem.Unavailable, 1},
		"a flood of an answer": {func(_ int64, w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20+1))
		}, 0, problem.BadGateway, 1},
		"an answer that is cut": {func(_ int64, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, "x")
		}, 0, problem.Unavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNeighbour(t, c.answer)
			reply, err := n.outside(t).Ask(t.Context(), peer.Request{Method: http.MethodGet, Path: "/rooms"})
			if reply.Status != c.status || code(err) != c.code || (err == nil) != (c.code == "") {
				t.Errorf("status %d, error %v, want %d and %q", reply.Status, err, c.status, c.code)
			}
			if n.asked.Load() != c.asked {
				t.Errorf("asked %d times, want %d", n.asked.Load(), c.asked)
			}
		})
	}
}

func TestWhatMayBeRepeatedOutside(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request peer.Request
		asked   int64
	}{
		"a POST is not":        {peer.Request{Method: http.MethodPost, Path: "/", In: room{1}}, 1},
		"a POST with a key is": {peer.Request{Method: http.MethodPost, Path: "/", In: room{1}, Key: "k"}, 3},
		"a DELETE is":          {peer.Request{Method: http.MethodDelete, Path: "/"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNeighbour(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
			_, _ = n.outside(t).Ask(t.Context(), c.request)
			if n.asked.Load() != c.asked {
				t.Errorf("sent %d times, want %d", n.asked.Load(), c.asked)
			}
		})
	}
}

func TestSomebodyOutsideWhoIsSlowIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	n := newNeighbour(t, func(_ int64, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	o := n.outside(t, func(c *peer.OutsideConfig) { c.Timeout = 50 * time.Millisecond })
	// It never answers: that there is an end at all is that nobody waits.
	if _, err := o.Ask(t.Context(), peer.Request{Method: http.MethodGet, Path: "/"}); code(err) != problem.Unavailable {
		t.Errorf("error %v, want unavailable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Ask(ctx, peer.Request{Method: http.MethodGet, Path: "/"}); code(err) != problem.ClientClosed {
		t.Errorf("when our caller has gone: error %v", err)
	}
}

func TestAnAddressOutsideMustBeOne(t *testing.T) {
	n := newNeighbour(t, func(int64, http.ResponseWriter, *http.Request) {})
	for _, address := range []string{"", "http://bank.test", "https://", "https://user:pass@bank.test", "https://bank.test?a=b", "https://bank.test#a", "bank.test"} {
		if _, err := peer.NewOutside(peer.OutsideConfig{Name: "bank", URL: address, TLS: n.TLS, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "bank") {
			t.Errorf("%q: error %v", address, err)
		}
	}
	if _, err := n.outside(t).Ask(t.Context(), peer.Request{Method: http.MethodGet, Path: "@elsewhere.test/"}); code(err) != problem.Internal {
		t.Errorf("a path that leads elsewhere: error %v", err)
	}
}
