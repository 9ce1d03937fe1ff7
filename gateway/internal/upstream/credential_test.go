package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// exchanger gives each caller a token of its own and notes what it is told.
type exchanger struct {
	mu     sync.Mutex
	err    error
	same   bool // gives the caller's own token back
	forgot []string
}

func (e *exchanger) Token(_ context.Context, caller string) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil || e.same {
		return caller, e.err
	}
	return "inner-" + caller, nil
}

func (e *exchanger) Forget(caller string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forgot = append(e.forgot, caller)
}

func (e *exchanger) forgotten() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return fmt.Sprint(e.forgot)
}

func TestTheCallersTokenIsExchangedAndNeverSent(t *testing.T) {
	r, _ := seen(t, Config{Credential: &exchanger{}}, "Authorization: Bearer edge\r\n", as("edge", "g-7", "demo"))
	want(t, "authorization", r.Header["Authorization"], "[Bearer inner-edge]")
}

// The memory of a request is used again for the next one.
func TestCallersAtOnceAndInTurnGetTheirOwnToken(t *testing.T) {
	b := script(t, func(p *peer) {
		for r := p.next(); r != nil; r = p.next() {
			authorization := r.Header.Get("Authorization")
			p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(authorization), authorization))
		}
	})
	g := front(t, Config{Endpoints: urls(b), Credential: &exchanger{}}, func(g *gate) {
		g.prep = func(tx *pipeline.Transaction) { tx.Bearer = strings.TrimPrefix(tx.Path, "/") }
	})
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			c := g.dial(t)
			for n := range 50 {
				caller := fmt.Sprintf("c%d-%d", i, n)
				c.say("GET /" + caller + " HTTP/1.1\r\nHost: h\r\n\r\n")
				if _, body, err := c.answer("GET"); err != nil || body != "Bearer inner-"+caller {
					t.Errorf("caller %s travelled as %q, %v", caller, body, err)
					return
				}
			}
		})
	}
	callers.Wait()
}

func TestWithoutATokenToExchangeNothingIsSent(t *testing.T) {
	for name, c := range map[string]struct {
		credential *exchanger
		bearer     string
		status     int
		code       problem.Code
		challenge  string
		result     string
	}{
		"a request that nobody authenticated": {&exchanger{}, "", 401, problem.MissingToken, `Bearer realm="portcullis"`, ""},
		"a token that was revoked": {
			&exchanger{err: problem.New(problem.InvalidToken, "")}, "edge", 401, problem.InvalidToken, `Bearer realm="portcullis", error="invalid_token"`, "refused",
		},
		"a caller that may not have the upstream": {&exchanger{err: problem.New(problem.Forbidden, "")}, "edge", 403, problem.Forbidden, "", "refused"},
		"a token service that is down":            {&exchanger{err: problem.New(problem.Unavailable, "")}, "edge", 503, problem.Unavailable, "", "failure"},
		"a failure of ours":                       {&exchanger{err: errors.New("no key")}, "edge", 503, problem.Unavailable, "", "failure"},
		"an exchange that changes nothing":        {&exchanger{same: true}, "edge", 503, problem.Unavailable, "", "failure"},
	} {
		t.Run(name, func(t *testing.T) {
			metrics, err := NewMetrics(prometheus.NewRegistry())
			if err != nil {
				t.Fatal(err)
			}
			r, res := seen(t, Config{Credential: c.credential, Metrics: metrics}, "Authorization: Bearer edge\r\n", as(c.bearer, "g-7", "demo"))
			want(t, "request", r == nil, true)
			want(t, "status", res.StatusCode, c.status)
			want(t, "code", res.Header.Get("X-Code"), c.code)
			want(t, "challenge", res.Header.Get("Www-Authenticate"), c.challenge)
			for _, result := range []string{"success", "refused", "failure", "disowned"} {
				counted := testutil.ToFloat64(metrics.exchanges.WithLabelValues("rooms", result))
				want(t, result, counted == 1, result == c.result)
			}
		})
	}
}

func TestWhatBecomesOfA401OfTheUpstream(t *testing.T) {
	const refused = `Www-Authenticate: Bearer realm="rooms", error="invalid_token"` + "\r\n"
	answer := func(fields string) string {
		return "HTTP/1.1 401 Unauthorized\r\n" + fields + "Content-Length: 6\r\n\r\ntheirs"
	}
	for name, c := range map[string]struct {
		credential Credential
		answer     string
		challenge  string
		theirs     bool
		forgot     string
	}{
		"a token disowned is the caller's to renew": {&exchanger{}, answer(refused), `Bearer realm="portcullis", error="invalid_token"`, false, "[edge]"},
		"one of several challenges disowns it": {
			&exchanger{}, answer("Www-Authenticate: Basic\r\n" + refused), `Bearer realm="portcullis", error="invalid_token"`, false, "[edge]",
		},
		"another 401 is the service's own business": {&exchanger{}, answer("Www-Authenticate: Basic realm=\"rooms\"\r\n"), `Basic realm="rooms"`, true, "[edge]"},
		"a 401 that says nothing passes":            {&exchanger{}, answer(""), "", true, "[edge]"},
		"the gateway's own token is not the caller's to renew": {
			fixed("own"), answer(refused), `Bearer realm="rooms", error="invalid_token"`, true, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := script(t, always(c.answer))
			g := front(t, Config{Endpoints: urls(b), Credential: c.credential}, as("edge", "g-7", "demo"))
			res := g.do(t, http.MethodGet, "/x", nil)
			want(t, "status", res.StatusCode, 401)
			want(t, "challenge", res.Header.Get("Www-Authenticate"), c.challenge)
			want(t, "the service's body", text(t, res) == "theirs", c.theirs)
			want(t, "requests the service saw", b.hits.Load(), 1)
			if e, ok := c.credential.(*exchanger); ok {
				want(t, "forgotten", e.forgotten(), c.forgot)
			}
			want(t, "failures the breaker counted", g.failures(), 0)
		})
	}
}

func TestOtherAnswersForgetNothing(t *testing.T) {
	for _, code := range []int{200, 403, 404, 500} {
		e := &exchanger{}
		g := front(t, Config{Endpoints: urls(script(t, always(status(code)))), Credential: e}, as("edge", "g-7", "demo"))
		want(t, "status", g.do(t, http.MethodGet, "/x", nil).StatusCode, code)
		want(t, "forgotten", e.forgotten(), "[]")
	}
}

// source is a source of the gateway's own tokens.
type source struct{ token string }

func (s *source) Token(context.Context) (string, error) { return s.token, nil }

func TestAnUpstreamStaysWhileItsCredentialDoes(t *testing.T) {
	one, other := &source{"a"}, &source{"a"}
	mine, theirs := &exchanger{}, &exchanger{}
	for name, c := range map[string]struct {
		before, after Credential
		same          bool
	}{
		"the same source":         {Own{one}, Own{one}, true},
		"another source":          {Own{one}, Own{other}, false},
		"the same exchanger":      {mine, mine, true},
		"another exchanger":       {mine, theirs, false},
		"own instead of exchange": {mine, Own{one}, false},
	} {
		t.Run(name, func(t *testing.T) {
			config := Config{Name: "rooms", Endpoints: []string{"http://127.0.0.1:1"}, Credential: c.before}
			u, err := New(config)
			if err != nil {
				t.Fatal(err)
			}
			config.Credential = c.after
			want(t, "stays", u.Same(config), c.same)
		})
	}
}
