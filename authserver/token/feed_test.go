package token_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/services/problem"
)

// station is an issuer's feed whose every answer the test decides.
type station struct {
	mu    sync.Mutex
	asked []*http.Request
	// answer writes the body; the connection ends when it returns.
	answer func(r *http.Request, w io.Writer)
}

func (s *station) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	answer := s.answer
	s.mu.Unlock()
	read, write := io.Pipe()
	resp := &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Body: read,
		Header: http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}},
	}
	stop := context.AfterFunc(r.Context(), func() { _ = write.CloseWithError(r.Context().Err()) })
	go func() {
		defer stop()
		answer(r, write)
		_ = write.Close()
	}()
	return resp, nil
}

func (s *station) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *station) last() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[len(s.asked)-1]
}

// tuned follows a station until the bubble ends.
func tuned(t *testing.T, transport http.RoundTripper, change func(*token.RevocationsConfig)) *token.Revocations {
	t.Helper()
	cfg := token.RevocationsConfig{
		URL: "https://i.test/revocations", HTTP: &http.Client{Transport: transport},
		Token: func(context.Context) (string, error) { return "feed-token", nil },
	}
	if change != nil {
		change(&cfg)
	}
	r, err := token.NewRevocations(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return r
}

func state(epoch string, seq int) string {
	return fmt.Sprintf("event: state\ndata: {\"epoch\":%q,\"seq\":%d}\n\n", epoch, seq)
}

func beat(seq int) string { return fmt.Sprintf("event: beat\ndata: {\"seq\":%d}\n\n", seq) }

// gone is the event by which a token is revoked.
func gone(epoch string, seq int, id string) string {
	v := token.Revocation{Seq: int64(seq), Kind: token.RevokeToken, Value: id, Until: inAnHour()}
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("id: %s:%d\nevent: revoked\ndata: %s\n\n", epoch, seq, data)
}

func ids(r *token.Revocations, names ...string) string {
	var found []string
	for _, name := range names {
		if r.Revoked(&token.Principal{TokenID: name}) {
			found = append(found, name)
		}
	}
	return strings.Join(found, " ")
}

// says writes text and leaves the connection open, without another word.
func says(text string) func(*http.Request, io.Writer) {
	return func(r *http.Request, w io.Writer) {
		_, _ = io.WriteString(w, text)
		<-r.Context().Done()
	}
}

// then writes text and ends the connection.
func then(text string) func(*http.Request, io.Writer) {
	return func(_ *http.Request, w io.Writer) {
		_, _ = io.WriteString(w, text)
	}
}

func (s *station) now(answer func(*http.Request, io.Writer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func TestAListCountsOnlyWhenItIsComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := make(chan string)
		s := &station{answer: func(r *http.Request, w io.Writer) {
			for {
				select {
				case text := <-more:
					_, _ = io.WriteString(w, text)
				case <-r.Context().Done():
					return
				}
			}
		}}
		r := tuned(t, s, nil)
		say := func(text string) { more <- text; synctest.Wait() }
		say(state("e", 2) + gone("e", 1, "a"))
		if !r.Status().Stale {
			t.Error("half a list counts")
		}
		say(gone("e", 2, "b"))
		if s := r.Status(); s.Stale || s.Seq != 2 || s.Epoch != "e" || ids(r, "a", "b") != "a b" {
			t.Errorf("a whole list does not count: %+v", s)
		}
		say(gone("e", 5, "c")) // 3 and 4 ended before they were sent
		if ids(r, "c") != "c" || r.Status().Seq != 5 {
			t.Errorf("what comes later is not heeded: %+v", r.Status())
		}
	})
}

func TestABeatSaysThatNothingIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := tuned(t, &station{answer: says(state("e", 9) + beat(9))}, nil)
		synctest.Wait()
		if r.Status().Stale {
			t.Errorf("%+v", r.Status())
		}
	})
}

func TestALostConnectionGoesOnWhereItStood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &station{answer: then(state("e", 1) + gone("e", 1, "a"))}
		r := tuned(t, s, nil)
		synctest.Wait()
		s.now(says(state("e", 2) + gone("e", 2, "b")))
		time.Sleep(200 * time.Millisecond)
		if q := s.last(); q.Header.Get("Last-Event-ID") != "e:1" || q.Header.Get("Authorization") != "Bearer feed-token" {
			t.Errorf("it came back with %v", q.Header)
		}
		if ids(r, "a", "b") != "a b" || r.Status().Err != nil {
			t.Errorf("%q, %+v", ids(r, "a", "b"), r.Status())
		}
	})
}

func TestAnotherDatabaseReplacesTheListOnceItIsComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &station{answer: then(state("e", 1) + gone("e", 1, "a"))}
		r := tuned(t, s, nil)
		synctest.Wait()
		s.now(then(state("f", 2) + gone("f", 1, "b")))
		time.Sleep(time.Second)
		if ids(r, "a", "b") != "a" || r.Status().Epoch != "e" {
			t.Errorf("half a list took the place of a whole one: %q", ids(r, "a", "b"))
		}
		s.now(says(state("f", 2) + gone("f", 1, "b") + gone("f", 2, "c")))
		time.Sleep(10 * time.Second)
		if ids(r, "a", "b", "c") != "b c" || r.Status().Epoch != "f" || r.Status().Seq != 2 {
			t.Errorf("%q, %+v", ids(r, "a", "b", "c"), r.Status())
		}
	})
}

func TestADatabaseThatWentBackInTimeIsReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &station{answer: then(state("e", 7) + gone("e", 7, "a"))}
		r := tuned(t, s, nil)
		synctest.Wait()
		s.now(func(q *http.Request, w io.Writer) {
			if q.Header.Get("Last-Event-ID") != "" {
				says(state("e", 3))(q, w)
				return
			}
			says(state("e", 3)+gone("e", 3, "b"))(q, w)
		})
		time.Sleep(10 * time.Second)
		if ids(r, "b") != "b" || r.Status().Seq != 3 {
			t.Errorf("%+v", r.Status())
		}
	})
}

func TestASilentConnectionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &station{answer: says(state("e", 0))}
		tuned(t, s, nil)
		time.Sleep(5900 * time.Millisecond)
		if s.count() != 1 {
			t.Fatalf("%d connections before six seconds of silence", s.count())
		}
		time.Sleep(300 * time.Millisecond)
		if s.count() != 2 {
			t.Errorf("%d connections after six seconds of silence", s.count())
		}
	})
}

func TestCommentsAreNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &station{answer: func(r *http.Request, w io.Writer) {
			_, _ = io.WriteString(w, state("e", 0))
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, ": a proxy keeps the connection warm\n\n")
				select {
				case <-time.After(time.Second):
				case <-r.Context().Done():
				}
			}
		}}
		tuned(t, s, nil)
		time.Sleep(7 * time.Second)
		if s.count() != 2 {
			t.Errorf("%d connections", s.count())
		}
	})
}

// listed answers with text as the list, and to whoever wants a stream as stream
// says.
func listed(text string, stream func(*http.Request, io.Writer)) func(*http.Request, io.Writer) {
	return func(r *http.Request, w io.Writer) {
		if r.Header.Get("Accept") == "text/event-stream" {
			stream(r, w)
			return
		}
		_, _ = io.WriteString(w, text)
	}
}

func TestWhereTheStreamIsHeldBackTheListIsReadEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heldBack := says("")
		s := &station{answer: listed(`{"epoch":"e","seq":0,"entries":[]}`, heldBack)}
		r := tuned(t, s, nil)
		time.Sleep(5500 * time.Millisecond)
		if st := r.Status(); st.Stale || !st.Polling {
			t.Fatalf("%+v", st)
		}
		list := fmt.Sprintf(`{"epoch":"e","seq":4,"entries":[{"seq":4,"kind":"token","value":"a","before":0,"until":%d}]}`, inAnHour())
		s.now(listed(list, heldBack))
		time.Sleep(time.Second)
		if ids(r, "a") != "a" || r.Status().Seq != 4 {
			t.Errorf("a second later: %+v", r.Status())
		}
		s.now(listed("nonsense", heldBack))
		time.Sleep(2 * time.Second)
		if st := r.Status(); st.Err == nil || ids(r, "a") != "a" {
			t.Errorf("nothing says that the list cannot be read: %+v", st)
		}
		s.now(listed(list, heldBack))
		time.Sleep(time.Minute)
		s.now(listed(list, says(state("e", 5)+gone("e", 5, "b"))))
		time.Sleep(5 * time.Minute)
		if st := r.Status(); st.Polling || ids(r, "a", "b") != "a b" {
			t.Errorf("the stream was not tried again: %+v", st)
		}
	})
}

func TestWhatNoTokenServiceSendsEndsTheConnection(t *testing.T) {
	for name, c := range map[string]struct{ text, because string }{
		"a revocation before the state":     {gone("e", 1, "a"), "out of place"},
		"two states":                        {state("e", 0) + state("e", 0), "out of place"},
		"a state that is not JSON":          {"event: state\ndata: x\n\n", "malformed"},
		"a state with its name twice":       {"event: state\ndata: {\"epoch\":\"e\",\"epoch\":\"f\",\"seq\":0}\n\n", "malformed"},
		"an epoch that splits a header":     {"event: state\ndata: {\"epoch\":\"e\\r\\nX: y\",\"seq\":0}\n\n", "epoch"},
		"a revocation that is not JSON":     {state("e", 1) + "id: e:1\nevent: revoked\ndata: {\n\n", "malformed"},
		"a revocation of an unknown kind":   {state("e", 1) + "id: e:1\nevent: revoked\ndata: {\"seq\":1,\"kind\":\"planet\",\"value\":\"a\",\"until\":9999999999}\n\n", "kind"},
		"an id of another database":         {state("e", 1) + gone("f", 1, "a"), "has the id"},
		"a number that does not go up":      {state("e", 2) + gone("e", 1, "a") + gone("e", 1, "b"), "has the id"},
		"a line without end":                {state("e", 1) + "data: " + strings.Repeat("x", 5000), "more than 4096 bytes"},
		"an event without end":              {state("e", 1) + strings.Repeat("x: y\n", 17), "more than 16 lines"},
		"a line that is not UTF-8":          {state("e", 1) + "data: \xff\n\n", "not allowed"},
		"a carriage return inside a line":   {state("e", 1) + "data: a\rdata: b\n\n", "not allowed"},
		"the connection cut in an event":    {state("e", 1) + "id: e:1\nevent: rev", "unexpected EOF"},
		"the connection cut after the data": {state("e", 1) + strings.TrimSuffix(gone("e", 1, "a"), "\n"), "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := tuned(t, &station{answer: then(c.text)}, nil)
				synctest.Wait()
				s := r.Status()
				if s.Err == nil || !strings.Contains(s.Err.Error(), c.because) || ids(r, "a", "b") != "" {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// refuses answers with a status.
type refuses int

func (s refuses) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{Status: fmt.Sprint(int(s)), StatusCode: int(s), Body: http.NoBody, Header: http.Header{"Location": {"https://evil.test"}}}, nil
}

func TestATokenThatTheFeedRefusesIsGivenUp(t *testing.T) {
	for status, want := range map[refuses]bool{401: true, 403: false, 302: false, 500: false} {
		synctest.Test(t, func(t *testing.T) {
			refused := ""
			r := tuned(t, status, func(c *token.RevocationsConfig) { c.Refused = func(raw string) { refused = raw } })
			synctest.Wait()
			if (refused == "feed-token") != want || r.Status().Err == nil || strings.Contains(r.Status().Err.Error(), "feed-token") {
				t.Errorf("%d: %q, %v", status, refused, r.Status().Err)
			}
		})
	}
}

func TestAListThatIsTooOldDecidesByPolicy(t *testing.T) {
	issuer := tokentest.New(t)
	for policy, want := range map[string]problem.Code{token.StaleDeny: problem.IssuerUnavailable, token.StaleAllow: ""} {
		synctest.Test(t, func(t *testing.T) {
			s := &station{answer: says(state("e", 1) + gone("e", 1, "revoked"))}
			r := tuned(t, s, func(c *token.RevocationsConfig) { c.Stale, c.Then = 10*time.Second, policy })
			verifier := watched(t, issuer, r)
			raw := issuer.Mint(nil)
			try := func(raw string) problem.Code {
				_, err := verifier.Verify(t.Context(), raw, time.Now())
				return codeOf(err)
			}
			if code := try(raw); code != "" {
				t.Fatalf("while the list is fresh: %s", code)
			}
			s.now(then(""))
			time.Sleep(9 * time.Second)
			if code := try(raw); code != "" {
				t.Errorf("%s: after nine seconds: %s", policy, code)
			}
			time.Sleep(2 * time.Second)
			for name, raw := range map[string]string{"remembered": raw, "new": issuer.Mint(claims{"jti": "t-2"})} {
				if code := try(raw); code != want {
					t.Errorf("%s: a %s token after eleven seconds: %q", policy, name, code)
				}
			}
			if code := try(issuer.Mint(claims{"jti": "revoked"})); code == "" {
				t.Errorf("%s: what is known to be revoked passed", policy)
			}
			if !r.Status().Stale {
				t.Errorf("%s: the status does not say stale", policy)
			}
			s.now(says(state("e", 1) + beat(1)))
			time.Sleep(6 * time.Second)
			if code := try(raw); code != "" {
				t.Errorf("%s: once the issuer is heard again: %s", policy, code)
			}
		})
	}
}

// The whole way over TLS: an issuer revokes, and what was accepted is refused.
func TestARevocationReachesAFollower(t *testing.T) {
	issuer := tokentest.New(t)
	r, err := token.NewRevocations(issuer.Follow())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	defer running.Wait()
	defer cancel()
	verifier, raw := watched(t, issuer, r), issuer.Mint(nil)
	if _, err := verifier.Verify(t.Context(), raw, time.Now()); err != nil {
		t.Fatal(err)
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %+v", what, r.Status())
			}
		}
	}
	issuer.Revoke(token.Revocation{Kind: token.RevokeToken, Value: "t-1"})
	until("the token lives on", func() bool {
		_, err := verifier.Verify(t.Context(), raw, time.Now())
		return codeOf(err) == problem.InvalidToken
	})
	issuer.Down()
	until("the loss is not noticed", func() bool { return r.Status().Err != nil })
	issuer.Revoke(token.Revocation{Kind: token.RevokeSubject, Value: "g-9", Before: inAnHour()})
	issuer.Up()
	until("what was missed is not made up for", func() bool { return r.Revoked(&token.Principal{Subject: "g-9"}) })
}
