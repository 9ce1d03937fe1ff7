package peer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"
)

// wire is a transport that answers with a status, or an error.
type wire struct {
	status int
	err    error
	sent   int
}

func (w *wire) RoundTrip(*http.Request) (*http.Response, error) {
	w.sent++
	if w.err != nil {
		return nil, w.err
	}
	return &http.Response{StatusCode: w.status, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func send(t *testing.T, b *breaker) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://peer.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.RoundTrip(r)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

func TestTheBreakerOpensAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{status: http.StatusServiceUnavailable}
		b := newBreaker("peer", w, slog.New(slog.DiscardHandler))
		for i := range samples {
			if err := send(t, b); err != nil { // a 503 is an answer, not an error
				t.Fatalf("attempt %d: %v", i, err)
			}
		}
		if err := send(t, b); !errors.Is(err, gobreaker.ErrOpenState) {
			t.Fatalf("after %d failures: %v, want an open breaker", samples, err)
		}
		if w.sent != samples {
			t.Errorf("%d attempts were sent, want %d", w.sent, samples)
		}
		time.Sleep(openFor + time.Millisecond)
		w.status = http.StatusOK
		for range 2 {
			if err := send(t, b); err != nil {
				t.Errorf("after %s: %v", openFor, err)
			}
		}
	})
}

func TestWhatDoesNotOpenTheBreaker(t *testing.T) {
	for name, w := range map[string]*wire{
		"callers that hang up":        {err: context.Canceled},
		"refusals":                    {status: http.StatusConflict},
		"what it has not implemented": {status: http.StatusNotImplemented},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBreaker("peer", w, slog.New(slog.DiscardHandler))
			for range 5 * samples {
				_ = send(t, b)
			}
			if w.sent != 5*samples {
				t.Errorf("%d attempts were sent, want all %d", w.sent, 5*samples)
			}
		})
	}
	t.Run("a deadline that passes does", func(t *testing.T) {
		w := &wire{err: context.DeadlineExceeded}
		b := newBreaker("peer", w, slog.New(slog.DiscardHandler))
		for range 5 * samples {
			_ = send(t, b)
		}
		if w.sent != samples {
			t.Errorf("%d attempts were sent, want %d", w.sent, samples)
		}
	})
}
