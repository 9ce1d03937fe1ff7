package waf

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// code is the code of the problem that a client was told.
func code(t testing.TB, err error) problem.Code {
	t.Helper()
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		t.Fatalf("%v is no problem", err)
	}
	return p.Code
}

func TestWhatCannotBeReadIsWithheld(t *testing.T) {
	gzip := "\x1f\x8b\x08\x00 a leak that nobody sees"
	with := func(status int, fields ...string) upstream {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			for i := 0; i < len(fields); i += 2 {
				w.Header().Add(fields[i], fields[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(gzip))
		}
	}
	for name, u := range map[string]upstream{
		"an answer that is encoded":       with(200, "Content-Encoding", "gzip"),
		"an answer that is encoded twice": with(200, "Content-Encoding", "identity", "Content-Encoding", "br"),
		"an encoding that nobody knows":   with(200, "Content-Encoding", "x-rot13"),
		"a part that nobody asked for":    with(206, "Content-Range", "bytes 0-7/100"),
		"parts that nobody asked for": func(w http.ResponseWriter, _ *http.Request) {
			page(206, "multipart/byteranges; boundary=x", gzip)(w, nil)
		},
		"an error that is encoded": with(500, "Content-Encoding", "deflate"),
	} {
		t.Run(name, func(t *testing.T) {
			x := answered(t, watcher(t), request("GET", "/v1/hotels", "", ""), u)
			if code(t, x.err) != problem.AnswerWithheld || x.got.Body.Len() > 0 || len(x.got.Header()) != 1 {
				t.Errorf("%v; %q, %v", x.err, x.got.Body, x.got.Header())
			}
		})
	}
	x := answered(t, watcher(t), request("GET", "/v1/hotels", "", ""), with(200, "Content-Encoding", "identity"))
	if x.err != nil || x.got.Body.String() != gzip {
		t.Errorf("an answer that says it is not encoded: %v, %q", x.err, x.got.Body)
	}
}

// TestWhatIsNotInspectedPassesAtOnce: at each point the client has what the
// upstream has sent.
func TestWhatIsNotInspectedPassesAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		method, media string
		status        int
	}{
		"events":                     {"GET", "text/event-stream", 200},
		"gRPC":                       {"POST", "application/grpc", 200},
		"an image":                   {"GET", "image/png", 200},
		"a page that did not change": {"GET", "text/html", 304},
		"the head of a page":         {"HEAD", "text/html", 200},
	} {
		t.Run(name, func(t *testing.T) {
			var got *httptest.ResponseRecorder
			u := func(w http.ResponseWriter, _ *http.Request) {
				got = w.(*relay).ResponseWriter.(*held).ResponseWriter.(*httptest.ResponseRecorder)
				w.Header().Set("Content-Type", c.media)
				w.WriteHeader(c.status)
				if got.Code != c.status {
					t.Errorf("the client has status %d", got.Code)
				}
				if c.method == "HEAD" || c.status == 304 {
					return
				}
				for _, event := range []string{"data: one\n\n", "data: <?php leak ?>\n\n"} {
					_, _ = w.Write([]byte(event))
					if err := http.NewResponseController(w).Flush(); err != nil {
						t.Error(err)
					}
					if !got.Flushed || !strings.HasSuffix(got.Body.String(), event) {
						t.Errorf("the client has %q", got.Body)
					}
					got.Flushed = false
				}
			}
			x := answered(t, watcher(t), request(c.method, "/v1/hotels", "", ""), u)
			if x.err != nil || x.tx.WAF.Answer.Ran {
				t.Errorf("%v, %+v", x.err, x.tx.WAF.Answer)
			}
		})
	}
}

func TestNothingOfAnInspectedAnswerIsSentBeforeItsInspection(t *testing.T) {
	beginning := strings.Repeat("<p>quiet</p>", 100)
	u := func(w http.ResponseWriter, _ *http.Request) {
		got := w.(*relay).ResponseWriter.(*held).ResponseWriter.(*httptest.ResponseRecorder)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(beginning))
		_ = http.NewResponseController(w).Flush()
		if got.Flushed || got.Body.Len() > 0 {
			t.Errorf("the client has %q already", got.Body)
		}
		_, _ = w.Write([]byte(sqlError))
	}
	if x := answered(t, watcher(t), request("GET", "/v1/hotels", "", ""), u); code(t, x.err) != problem.AnswerWithheld {
		t.Error(x.err)
	}
}

// TestWhatWasFlushedIsFlushedOnceItHasBeenInspected: somebody may wait for it.
func TestWhatWasFlushedIsFlushedOnceItHasBeenInspected(t *testing.T) {
	x := answered(t, watcher(t), request("GET", "/v1/hotels", "", ""), func(w http.ResponseWriter, _ *http.Request) {
		page(200, "text/html", "<p>quiet</p>")(w, nil)
		_ = http.NewResponseController(w).Flush()
	})
	if x.err != nil || !x.got.Flushed {
		t.Errorf("%v, flushed %v", x.err, x.got.Flushed)
	}
}

func TestWhatComesAfterThatIsLookedAtPassesUnseen(t *testing.T) {
	body := strings.Repeat("<p>quiet</p>", 400) + sqlError // longer than the 4 KiB that are
	x := answered(t, watcher(t), request("GET", "/v1/hotels", "", ""), page(200, "text/html", body))
	if x.err != nil || x.got.Body.String() != body || !x.tx.WAF.Answer.Partly {
		t.Errorf("%v, %d of %d bytes, %+v", x.err, x.got.Body.Len(), len(body), x.tx.WAF.Answer)
	}
}

func TestTrailersOfAnInspectedAnswerAreTrailers(t *testing.T) {
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tx := request("GET", "/v1/hotels", "", "")
		tx.Route = &pipeline.Route{Stages: []pipeline.Stage{NewStage(NewGate(0), &Use{Inspector: watcher(t)})}}
		if d := pipeline.Decide(tx); d.Kind != pipeline.Allow {
			t.Error(d.Problem)
		}
		_, err := NewForwarder(upstream(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Trailer", "X-Sum")
			_, _ = w.Write([]byte("<p>quiet</p>"))
			_ = http.NewResponseController(w).Flush()
			w.Header().Set("X-Sum", "17")
			w.Header().Set(http.TrailerPrefix+"X-Late", "18")
		})).Forward(w, tx)
		if err != nil {
			t.Error(err)
		}
		tx.Done()
	}))
	defer served.Close()
	res, err := served.Client().Get(served.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var b strings.Builder
	if _, err := copyAll(&b, res); err != nil {
		t.Fatal(err)
	}
	if b.String() != "<p>quiet</p>" || res.Header.Get("X-Sum") != "" || res.Trailer.Get("X-Sum") != "17" || res.Trailer.Get("X-Late") != "18" {
		t.Errorf("%q, header %v, trailer %v", b.String(), res.Header, res.Trailer)
	}
}

func TestAnAnswerThatBreaksOffBeforeItsInspectionIsAProblem(t *testing.T) {
	broke := errors.New("connection reset")
	for name, c := range map[string]struct {
		how  func(w http.ResponseWriter, tx *pipeline.Transaction)
		want problem.Code
	}{
		"by the upstream": {func(http.ResponseWriter, *pipeline.Transaction) {}, problem.BadGateway},
		"by the route's timeout": {func(w http.ResponseWriter, _ *pipeline.Transaction) {
			if err := http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)); err != nil {
				t.Error(err)
			}
		}, problem.GatewayTimeout},
		"by the client": {func(_ http.ResponseWriter, tx *pipeline.Transaction) { tx.Request = tx.Request.WithContext(gone()) }, problem.ClientClosed},
	} {
		t.Run(name, func(t *testing.T) {
			tx := request("GET", "/v1/hotels", "", "")
			x := answered(t, watcher(t), tx, func(w http.ResponseWriter, _ *http.Request) {
				page(200, "text/html", "<p>half of it")(w, nil)
				c.how(w, tx)
				w.(*relay).broken = broke
			})
			if code(t, x.err) != c.want || x.got.Body.Len() > 0 || len(x.got.Header()) != 1 || x.result.Broken != nil {
				t.Errorf("%v, %q, %v, %+v", x.err, x.got.Body, x.got.Header(), x.result)
			}
		})
	}
}

// TestATimeThatIsOverWhileTheEngineLooksEndsTheAnswer: the timer that cuts writers
// short has gone off while there was nothing to cut.
func TestATimeThatIsOverWhileTheEngineLooksEndsTheAnswer(t *testing.T) {
	x := answered(t, watcher(t), request("GET", "/v1/hotels", "", ""), func(w http.ResponseWriter, _ *http.Request) {
		page(200, "text/html", "<p>quiet</p>")(w, nil)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
	})
	if code(t, x.err) != problem.GatewayTimeout || x.got.Body.Len() > 0 {
		t.Errorf("%v, %q", x.err, x.got.Body)
	}
}

func TestTheMemoryOfHeldAnswersIsBounded(t *testing.T) {
	g := NewGate(0)
	if !g.reserve(maxHeld) || g.reserve(1) || !g.reserve(-maxHeld) || g.held.Load() != 0 {
		t.Fatal("the bound does not hold")
	}
	g.reserve(maxHeld - 1)
	tx := request("GET", "/v1/hotels", "", "")
	tx.Route = &pipeline.Route{Stages: []pipeline.Stage{NewStage(g, &Use{Inspector: watcher(t)})}}
	pipeline.Decide(tx)
	got := httptest.NewRecorder()
	_, err := NewForwarder(page(200, "text/html", "<p>quiet</p>")).Forward(got, tx)
	tx.Done()
	if code(t, err) != problem.Overloaded || got.Body.Len() > 0 || g.held.Load() != maxHeld-1 {
		t.Errorf("%v, %q, %d bytes are held", err, got.Body, g.held.Load())
	}
}

// TestAFullGateWithholdsAnswers: who cannot be inspected is not let through.
func TestAFullGateWithholdsAnswers(t *testing.T) {
	i := watcher(t)
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(1)
		tx := request("GET", "/v1/hotels", "", "")
		tx.Route = &pipeline.Route{Stages: []pipeline.Stage{NewStage(g, &Use{Inspector: i})}}
		pipeline.Decide(tx)
		g.slots <- struct{}{}
		got := httptest.NewRecorder()
		_, err := NewForwarder(page(200, "text/html", sqlError)).Forward(got, tx)
		tx.Done()
		if code(t, err) != problem.Overloaded || got.Body.Len() > 0 || len(g.slots) != 1 {
			t.Errorf("%v, %q", err, got.Body)
		}
	})
}

func TestARequestThatNobodyHasInspectedIsNotAnswered(t *testing.T) {
	got := httptest.NewRecorder()
	_, err := NewForwarder(page(200, "text/html", "x")).Forward(got, request("GET", "/", "", ""))
	if code(t, err) != problem.Unavailable || got.Body.Len() > 0 {
		t.Errorf("%v, %q", err, got.Body)
	}
}

// TestWhatIsKeptOfARequestIsGivenBack: also when it never gets an answer.
func TestWhatIsKeptOfARequestIsGivenBack(t *testing.T) {
	for name, after := range map[string]func(tx *pipeline.Transaction, f pipeline.Forwarder){
		"nobody forwards it": func(*pipeline.Transaction, pipeline.Forwarder) {},
		"the forwarder panics": func(tx *pipeline.Transaction, f pipeline.Forwarder) {
			defer func() { _ = recover() }()
			_, _ = f.Forward(httptest.NewRecorder(), tx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewGate(0)
			tx := notClean()
			tx.Route = &pipeline.Route{Stages: []pipeline.Stage{NewStage(g, &Use{Inspector: watcher(t)})}}
			if d := pipeline.Decide(tx); d.Kind != pipeline.Allow || g.sessions.Load() != 1 {
				t.Fatalf("%v, %d sessions", d.Problem, g.sessions.Load())
			}
			after(tx, NewForwarder(upstream(func(w http.ResponseWriter, _ *http.Request) {
				page(200, "text/html", "half")(w, nil)
				panic("a bug")
			})))
			tx.Done()
			if g.sessions.Load() != 0 || g.held.Load() != 0 {
				t.Errorf("%d sessions, %d bytes", g.sessions.Load(), g.held.Load())
			}
		})
	}
}

// TestTooManySessionsAreShownAgain: the engine keeps a bounded number of requests
// in mind, and sees a leak in the answers of others all the same.
func TestTooManySessionsAreShownAgain(t *testing.T) {
	g := NewGate(0)
	g.sessions.Store(maxSessions)
	tx := notClean()
	tx.Route = &pipeline.Route{Stages: []pipeline.Stage{NewStage(g, &Use{Inspector: watcher(t)})}}
	pipeline.Decide(tx)
	if tx.Answers.(*screen).session != nil {
		t.Error("one more is open")
	}
	_, err := NewForwarder(page(200, "text/html", sqlError)).Forward(httptest.NewRecorder(), tx)
	tx.Done()
	if code(t, err) != problem.AnswerWithheld || g.sessions.Load() != maxSessions {
		t.Errorf("%v, %d sessions", err, g.sessions.Load())
	}
}

// TestTheAnswerToWhatWouldTakeTooLongToInspectIsInspected: who makes a request dear
// on purpose gets no leak for it.
func TestTheAnswerToWhatWouldTakeTooLongToInspectIsInspected(t *testing.T) {
	i := as(watcher(t), ProofOn, watcher(t).proving.prover)
	i.profile.Over = OverRecord
	dear := func() *pipeline.Transaction {
		return request("POST", "/v1/notes", jsonMedia, `{"note":"`+strings.Repeat("a quiet room by the sea ", 2500)+`' UNION SELECT name,password FROM users-- -"}`)
	}
	x := answered(t, i, dear(), page(200, "text/html", sqlError))
	if code(t, x.err) != problem.AnswerWithheld || x.tx.WAF.Ran || len(x.tx.Shadows) != 1 {
		t.Errorf("%v, %+v, %v", x.err, x.tx.WAF, x.tx.Shadows)
	}
	if x = answered(t, i, dear(), page(200, "text/html", "<p>quiet</p>")); x.err != nil || x.got.Body.String() != "<p>quiet</p>" {
		t.Error(x.err)
	}
	tx, g := dear(), NewGate(0)
	tx.Route = &pipeline.Route{Stages: []pipeline.Stage{NewStage(g, nil, Use{Inspector: i})}}
	pipeline.Decide(tx)
	_, err := NewForwarder(upstream(func(w http.ResponseWriter, r *http.Request) {
		_, _ = copyAll(io.Discard, &http.Response{Body: r.Body})
		page(200, "text/html", sqlError)(w, r)
	})).Forward(httptest.NewRecorder(), tx)
	tx.Done()
	if err != nil || len(tx.Shadows) != 1 || tx.Shadows[0].Rule != "answers:959100" {
		t.Errorf("in shadow: %v, %+v", err, tx.Shadows)
	}
}
