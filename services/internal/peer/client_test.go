package peer_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portcullis/services/internal/peer"
	"portcullis/services/problem"
)

// bearer is a credential that does not change.
type bearer string

func (b bearer) Token(context.Context) (string, error) { return string(b), nil }

// refused is a credential that cannot be had.
type refused struct{ err error }

func (r refused) Token(context.Context) (string, error) { return "", r.err }

type idKey struct{}

// neighbour is a peer that answers as told, and counts.
type neighbour struct {
	*httptest.Server
	asked atomic.Int64
}

func newNeighbour(t *testing.T, answer func(n int64, w http.ResponseWriter, r *http.Request)) *neighbour {
	t.Helper()
	n := &neighbour{}
	n.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(n.asked.Add(1), w, r)
	}))
	t.Cleanup(n.Close)
	return n
}

func (n *neighbour) client(t *testing.T, change ...func(*peer.Config)) *peer.Client {
	t.Helper()
	cfg := peer.Config{
		Name: "neighbour", URL: n.URL, Credential: bearer("our-token"), Log: slog.New(slog.DiscardHandler),
		Timeout: time.Minute, Connect: time.Minute, // on any machine, however busy
		TLS: n.Client().Transport.(*http.Transport).TLSClientConfig.Clone(),
		RequestID: func(ctx context.Context) string {
			id, _ := ctx.Value(idKey{}).(string)
			return id
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := peer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

type room struct {
	Beds int `json:"beds"`
}

func TestACallCarriesTokenIDAndBody(t *testing.T) {
	n := newNeighbour(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer our-token" || r.Header.Get("X-Request-ID") != "id-1" ||
			r.Header.Get("Content-Type") != "application/json" || string(body) != `{"beds":1}` || r.URL.RequestURI() != "/rooms?floor=2" {
			t.Errorf("%s %v %s", r.URL, r.Header, body)
		}
		_, _ = io.WriteString(w, `{"beds":2,"a_field_of_a_later_contract":true}`)
	})
	var out room
	ctx := context.WithValue(t.Context(), idKey{}, "id-1")
	if err := n.client(t).Do(ctx, peer.Call{Method: http.MethodPost, Path: "/rooms?floor=2", In: room{1}, Out: &out}); err != nil {
		t.Fatal(err)
	}
	if out.Beds != 2 {
		t.Errorf("%d beds, want 2", out.Beds)
	}
}

func TestWhatIsRepeated(t *testing.T) {
	busy := func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	hangUp := func(int64, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	later := func(_ int64, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	broken := func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	for name, c := range map[string]struct {
		answer     func(int64, http.ResponseWriter, *http.Request)
		method     string
		repeatable bool
		asked      int64
	}{
		"a GET that found it busy":                   {busy, http.MethodGet, false, 3},
		"a DELETE that found it busy":                {busy, http.MethodDelete, false, 3},
		"a POST that only asks":                      {busy, http.MethodPost, true, 3},
		"no POST that does something":                {busy, http.MethodPost, false, 1},
		"no POST that was cut off: it may have done": {hangUp, http.MethodPost, false, 1},
		"a POST that only asks and was cut off":      {hangUp, http.MethodPost, true, 3},
		"nothing that is told to wait an hour":       {later, http.MethodGet, false, 1},
		"nothing that failed inside":                 {broken, http.MethodGet, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNeighbour(t, c.answer)
			call := peer.Call{Method: c.method, Path: "/", Repeatable: c.repeatable}
			if c.method == http.MethodPost {
				call.In = room{1}
			}
			err := n.client(t).Do(t.Context(), call)
			p, ok := errors.AsType[*problem.Problem](err)
			if !ok || p.Code != problem.Unavailable || p.Header.Get("Retry-After") == "" {
				t.Errorf("error %v, want unavailable with Retry-After", err)
			}
			if wait := p.Header.Get("Retry-After"); len(wait) > 2 {
				t.Errorf("our callers are kept away for %s seconds", wait)
			}
			if n.asked.Load() != c.asked {
				t.Errorf("asked %d times, want %d", n.asked.Load(), c.asked)
			}
		})
	}
}

func TestAPeerThatComesBackIsFoundByARetry(t *testing.T) {
	n := newNeighbour(t, func(asked int64, w http.ResponseWriter, r *http.Request) {
		if asked == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.Copy(w, r.Body) // the body came again
	})
	var out room
	if err := n.client(t).Do(t.Context(), peer.Call{Method: http.MethodPut, Path: "/", In: room{7}, Out: &out}); err != nil || out.Beds != 7 {
		t.Errorf("%v, %d beds", err, out.Beds)
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	say := func(code problem.Code) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) { problem.Write(w, r, problem.New(code, "why"), "") }
	}
	for name, c := range map[string]struct {
		answer  func(http.ResponseWriter, *http.Request)
		refusal int
		code    problem.Code
	}{
		"not found is a refusal":              {say(problem.NotFound), 404, ""},
		"a conflict is a refusal":             {say(problem.Conflict), 409, ""},
		"unprocessable is a refusal":          {say(problem.Unprocessable), 422, ""},
		"our token refused is a bad gateway":  {say(problem.InvalidToken), 0, problem.BadGateway},
		"our scopes refused is a bad gateway": {say(problem.InsufficientScope), 0, problem.BadGateway},
		"a stranger's 404 is a bad gateway":   {http.NotFound, 0, problem.BadGateway},
		"a redirect is a bad gateway": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, 0, problem.BadGateway},
		"something else than JSON is a bad gateway": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<html>")
		}, 0, problem.BadGateway},
		"an answer without end is a bad gateway": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `"`+strings.Repeat("x", 1<<20)+`"`)
		}, 0, problem.BadGateway},
		"half an answer is unavailable": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"beds":`)
		}, 0, problem.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNeighbour(t, func(_ int64, w http.ResponseWriter, r *http.Request) { c.answer(w, r) })
			err := n.client(t).Do(t.Context(), peer.Call{Method: http.MethodGet, Path: "/", Out: &room{}})
			if refusal, ok := errors.AsType[*peer.Refusal](err); ok {
				if refusal.Status() != c.refusal {
					t.Errorf("refused with %d: %v", refusal.Status(), err)
				}
			} else if p, ok := errors.AsType[*problem.Problem](err); !ok || c.refusal != 0 || p.Code != c.code {
				t.Errorf("error %v, want refusal %d or %s", err, c.refusal, c.code)
			}
			if n.asked.Load() != 1 {
				t.Errorf("asked %d times", n.asked.Load())
			}
		})
	}
}

func TestACallEndsInTime(t *testing.T) {
	wait := func(_ int64, _ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done() // the deadline reaches the peer as a closed connection
	}
	t.Run("by its own bound", func(t *testing.T) {
		n := newNeighbour(t, wait)
		err := n.client(t, func(c *peer.Config) { c.Timeout = 50 * time.Millisecond }).Do(t.Context(), peer.Call{Method: http.MethodGet, Path: "/"})
		if p, ok := errors.AsType[*problem.Problem](err); !ok || p.Code != problem.Unavailable {
			t.Errorf("error %v, want unavailable", err)
		}
	})
	t.Run("by its caller's deadline", func(t *testing.T) {
		n := newNeighbour(t, wait)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := n.client(t, func(c *peer.Config) { c.Timeout = time.Hour }).Do(ctx, peer.Call{Method: http.MethodGet, Path: "/"}); err == nil {
			t.Error("no error")
		}
	})
	t.Run("when its caller hangs up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := newNeighbour(t, func(asked int64, w http.ResponseWriter, r *http.Request) {
			cancel()
			wait(asked, w, r)
		})
		err := n.client(t).Do(ctx, peer.Call{Method: http.MethodGet, Path: "/"})
		if p, ok := errors.AsType[*problem.Problem](err); !ok || p.Code != problem.ClientClosed {
			t.Errorf("error %v, want client_closed_request", err)
		}
	})
}

func TestWithoutATokenThePeerIsNotCalled(t *testing.T) {
	n := newNeighbour(t, func(int64, http.ResponseWriter, *http.Request) {})
	cause := problem.New(problem.Unavailable, "").With("Retry-After", "9")
	err := n.client(t, func(c *peer.Config) { c.Credential = refused{cause} }).Do(t.Context(), peer.Call{Method: http.MethodGet, Path: "/"})
	if p, ok := errors.AsType[*problem.Problem](err); !ok || p != cause {
		t.Errorf("error %v, want the credential's own problem", err)
	}
	if n.asked.Load() != 0 {
		t.Error("the peer was called")
	}
}

func TestTheTokenStaysWithThePeer(t *testing.T) {
	n := newNeighbour(t, func(int64, http.ResponseWriter, *http.Request) {})
	for _, path := range []string{"https://elsewhere.test/", "//elsewhere.test/", "http://" + n.Listener.Addr().String() + "/"} {
		if err := n.client(t).Do(t.Context(), peer.Call{Method: http.MethodGet, Path: path}); err == nil {
			t.Errorf("%s was called", path)
		}
	}
	if n.asked.Load() != 0 {
		t.Error("the peer was called")
	}
}

func TestNewRefuses(t *testing.T) {
	n := newNeighbour(t, func(int64, http.ResponseWriter, *http.Request) {})
	good := peer.Config{Name: "n", URL: n.URL, Credential: bearer("x"), Log: slog.Default(), TLS: n.TLS}
	for name, change := range map[string]func(*peer.Config){
		"an address in the clear":       func(c *peer.Config) { c.URL = "http://localhost:1" },
		"an address with a path":        func(c *peer.Config) { c.URL += "/v1" },
		"an address with a password":    func(c *peer.Config) { c.URL = "https://a:b@localhost" },
		"no address":                    func(c *peer.Config) { c.URL = "" },
		"no credential":                 func(c *peer.Config) { c.Credential = nil },
		"trusting whom the system does": func(c *peer.Config) { c.TLS = nil },
	} {
		cfg := good
		change(&cfg)
		if _, err := peer.New(cfg); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
