package users_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"portcullis/authserver/token"
	"portcullis/services/chassis"
	"portcullis/services/hotel"
	"portcullis/services/internal/peer"
	"portcullis/services/internal/wire"
	"portcullis/services/internal/wiretest"
	"portcullis/services/problem"
)

// neighbour is another service of the hotel, or the token service.
type neighbour struct {
	*httptest.Server
	mu sync.Mutex
	// held is what it holds of guests, as JSON.
	held      map[string]string
	documents map[string]string
	away      bool
	erased    []string
	// then runs when a guest was forgotten, before that is answered.
	then func()
}

func (n *neighbour) set(change func(*neighbour)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

// times is how often it was asked to forget a guest.
func (n *neighbour) times(guest string) (times int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, g := range n.erased {
		if g == guest {
			times++
		}
	}
	return times
}

// neighbour starts one.
func (w *world) neighbour(name string) {
	n := &neighbour{held: map[string]string{}, documents: map[string]string{}}
	scopes := []string{hotel.ScopeGuestExport, hotel.ScopeGuestErase, hotel.ScopeDocumentsRead}
	pattern, erase := hotel.PathGuestData, hotel.ScopeGuestErase
	if name == "authserver" {
		scopes, pattern, erase = []string{token.EraseScope}, "/accounts/{guest}", token.EraseScope
	}
	w.issuer.Client("users", "secret", name, 0, scopes...)
	only := w.only(n, name)
	router := chi.NewRouter()
	router.With(only(hotel.ScopeGuestExport, hotel.ScopeGuestErase)).Get(hotel.PathGuestData, func(rw http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		data, ok := n.held[named(r)]
		if !ok {
			data = "{}"
			if name == "reservations" {
				data = `{"reservations":[]}`
			}
		}
		_ = wire.Answer(rw, http.StatusOK, json.RawMessage(data))
	})
	router.With(only(erase, hotel.ScopeGuestExport)).Delete(pattern, func(rw http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		delete(n.held, named(r))
		n.erased = append(n.erased, named(r))
		then := n.then
		n.mu.Unlock()
		if then != nil {
			then()
		}
		rw.WriteHeader(http.StatusNoContent)
	})
	router.With(only(hotel.ScopeDocumentsRead, hotel.ScopeGuestErase)).Get(hotel.PathDocument, func(rw http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		pdf, ok := n.documents[chi.URLParam(r, "document")]
		if !ok {
			problem.Write(rw, r, problem.New(problem.NotFound, ""), "")
			return
		}
		rw.Header().Set("Content-Type", "application/pdf")
		_, _ = io.WriteString(rw, pdf)
	})
	n.Server = httptest.NewTLSServer(router)
	w.t.Cleanup(n.Close)
	w.neighbours[name] = n
}

// only is middleware for who comes as users itself with one scope and, of two,
// without the other: who reads for an export must not be able to erase.
func (w *world) only(n *neighbour, name string) func(scope, not string) func(http.Handler) http.Handler {
	guard := wiretest.Guard(w.t, w.issuer, name)
	return func(scope, not string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return guard.Require(scope)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if p, _ := token.FromContext(r.Context()); p.Has(not) || p.Subject != "users" {
					w.t.Errorf("%s is asked by %q with %q", name, p.Subject, p.Scopes)
				}
				n.mu.Lock()
				away := n.away
				n.mu.Unlock()
				if away {
					problem.Write(rw, r, problem.New(problem.Unavailable, "").With("Retry-After", "1"), "")
					return
				}
				next.ServeHTTP(rw, r)
			}))
		}
	}
}

// named is the guest of a path.
func named(r *http.Request) string {
	guest := chi.URLParam(r, "guest")
	if text, err := url.PathUnescape(guest); err == nil && r.URL.RawPath != "" {
		return text
	}
	return guest
}

// peer is the service's client of a neighbour, with one scope.
func (w *world) peer(name, scope string) *peer.Client {
	w.t.Helper()
	source, err := token.NewSource(token.SourceConfig{
		TokenURL: w.issuer.TokenURL(), ClientID: "users", Audience: name, Scopes: []string{scope},
		Secret: func() (string, error) { return "secret", nil }, HTTP: w.issuer.HTTP(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := peer.New(peer.Config{
		Name: name, URL: w.neighbours[name].URL, Credential: source, Log: slog.New(slog.DiscardHandler), RequestID: chassis.RequestID,
		Timeout: time.Minute, Connect: time.Minute,
		TLS: w.neighbours[name].Client().Transport.(*http.Transport).TLSClientConfig.Clone(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return client
}
