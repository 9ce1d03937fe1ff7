package waf

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf/proof"
	"portcullis/services/problem"
)

// leakWatcher is one inspector that looks at answers, for all tests.
var leakWatcher = sync.OnceValues(func() (*Inspector, error) {
	i, err := New(Config{Profile: Profile{Name: "answers", Responses: Responses{Types: "text/html application/json", Body: 4 << 10}}, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		i.proving.every = 0 // a second look would take a turn when nobody expects it
	}
	return i, err
})

func watcher(t testing.TB) *Inspector {
	t.Helper()
	i, err := leakWatcher()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// upstream answers as a handler does.
type upstream http.HandlerFunc

func (u upstream) Forward(w pipeline.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
	out := &relay{ResponseWriter: w}
	u(out, tx.Request)
	return pipeline.Result{Status: out.status, Bytes: out.bytes, Broken: out.broken}, nil
}

// relay writes as the forwarder of an upstream does: what fails ends the copying.
type relay struct {
	http.ResponseWriter
	status int
	bytes  int64
	broken error
}

func (r *relay) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *relay) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *relay) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	if r.broken != nil {
		return 0, r.broken
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	r.broken = err
	return n, err
}

// exchange is what became of a request and its answer.
type exchange struct {
	tx     *pipeline.Transaction
	got    *httptest.ResponseRecorder
	result pipeline.Result
	err    error
}

// answered sends a request through a profile in force to an upstream.
func answered(t testing.TB, i *Inspector, tx *pipeline.Transaction, u upstream) exchange {
	t.Helper()
	g := NewGate(0)
	x := exchange{tx: tx, got: httptest.NewRecorder()}
	x.got.Header().Set("X-Request-Id", tx.ID)
	tx.Route = &pipeline.Route{Stages: []pipeline.Stage{NewStage(g, &Use{Inspector: i})}}
	if d := pipeline.Decide(tx); d.Kind != pipeline.Allow {
		t.Fatalf("the request is not allowed: %v", d.Problem)
	}
	x.result, x.err = NewForwarder(u).Forward(x.got, tx)
	tx.Done()
	if held, open := g.held.Load(), g.sessions.Load(); held != 0 || open != 0 || len(g.slots) != 0 {
		t.Errorf("%d bytes are held, %d sessions are open, %d turns are taken", held, open, len(g.slots))
	}
	return x
}

// page is an upstream that answers with one text.
func page(status int, media, body string) upstream {
	return func(w http.ResponseWriter, _ *http.Request) {
		if media != "" {
			w.Header().Set("Content-Type", media)
		}
		w.Header().Set("X-Secret", "of the upstream")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// Leaks, each in what surrounds it.
const (
	sqlError  = `<p>You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use near ''' at line 1</p>`
	directory = `<html><head><title>Index of /backup</title></head><body><h1>Index of /backup</h1><a href="db.sql">db.sql</a></body></html>`
	trace     = `{"error":"java.lang.NullPointerException\n\tat org.hotel.Booking.find(Booking.java:42)\n\tat java.base/java.lang.Thread.run(Thread.java:829)"}`
	source    = `<?php $db = mysqli_connect("localhost", "root", "hunter2"); ?>`
)

// notClean is a request on which a rule has an effect (its host is an address),
// and that passes.
func notClean() *pipeline.Transaction {
	tx := request("GET", "/v1/hotels", "", "")
	tx.Request.Host = "192.0.2.1"
	return tx
}

func TestLeaksAreWithheld(t *testing.T) {
	for name, u := range map[string]upstream{
		"an SQL error":                           page(200, "text/html; charset=utf-8", sqlError),
		"an SQL error of a type in capitals":     page(200, "Text/HTML ; charset=utf-8", sqlError),
		"an SQL error without a type":            page(200, "", sqlError),
		"an SQL error of a type nobody can read": page(200, "/", sqlError),
		"an SQL error with a status of its own":  page(500, "text/html", sqlError),
		"an SQL error in JSON":                   page(200, "application/json", `{"error":"`+sqlError+`"}`),
		"an SQL error of two types": func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = []string{"text/plain", "text/html"}
			_, _ = w.Write([]byte(sqlError))
		},
		"a directory listing":     page(200, "text/html", directory),
		"a stack trace":           page(500, "application/json", trace),
		"the source of a program": page(200, "text/html", source),
		"an SQL error in pieces": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			for i := range sqlError {
				_, _ = w.Write([]byte(sqlError[i : i+1]))
				_ = http.NewResponseController(w).Flush()
			}
		},
		"an SQL error before much that is fine": page(200, "text/html", sqlError+strings.Repeat("<p>quiet</p>", 2000)),
	} {
		for how, tx := range map[string]*pipeline.Transaction{"clean": request("GET", "/v1/hotels", "", ""), "not clean": notClean()} {
			t.Run(name+", to a request that is "+how, func(t *testing.T) {
				x := answered(t, watcher(t), tx, u)
				p, ok := x.err.(*problem.Problem)
				if !ok || p.Code != problem.AnswerWithheld || p.Status() != 502 || p.Detail != "" {
					t.Fatalf("the error is %v", x.err)
				}
				if x.got.Body.Len() > 0 || x.got.Flushed || len(x.got.Header()) != 1 || x.result.Status != 0 || x.result.Bytes != 0 || x.result.Broken != nil {
					t.Errorf("of the answer came %d bytes, %v, %+v", x.got.Body.Len(), x.got.Header(), x.result)
				}
				a := tx.WAF.Answer
				if len(a.Hits) == 0 || a.Hits[0].Rule != a.Rules[0] || a.Threshold != 4 || !a.Stopped || !strings.HasPrefix(a.Hits[0].At[0].Target, "RESPONSE_") {
					t.Errorf("the security event would tell %+v, threshold %d, stopped %v", a.Hits, a.Threshold, a.Stopped)
				}
				if !a.Ran || a.Score < 4 || len(a.Rules) == 0 || len(a.Matches) == 0 || !strings.HasPrefix(tx.Rule, "waf:answers:959") {
					t.Errorf("found %+v, by %q", a, tx.Rule)
				}
			})
		}
	}
}

func TestOrdinaryAnswersPassAsTheyAre(t *testing.T) {
	long := strings.Repeat("<p>A quiet room.</p>\n", 1000)
	for name, u := range map[string]upstream{
		"a page":                                 page(200, "text/html", "<html><body><h1>Hotels</h1></body></html>"),
		"JSON":                                   page(201, "application/json", `{"hotel":"h-1","guests":2}`),
		"a long page":                            page(200, "text/html", long),
		"an empty page":                          page(200, "text/html", ""),
		"an error":                               page(404, "text/html", "<h1>Not found</h1>"),
		"a leak of a type that is not inspected": page(200, "text/plain", sqlError),
		"as long as is looked at":                page(200, "text/html", long[:4096]),
		"one byte longer":                        page(200, "text/html", long[:4097]),
	} {
		for how, tx := range map[string]*pipeline.Transaction{"clean": request("GET", "/v1/hotels", "", ""), "not clean": notClean()} {
			t.Run(name+", to a request that is "+how, func(t *testing.T) {
				want := httptest.NewRecorder()
				want.Header().Set("X-Request-Id", tx.ID)
				u(want, tx.Request)
				x := answered(t, watcher(t), tx, u)
				if x.err != nil || x.result.Broken != nil || x.got.Code != want.Code || !bytes.Equal(x.got.Body.Bytes(), want.Body.Bytes()) || x.result.Bytes != int64(want.Body.Len()) {
					t.Errorf("%v, %+v, status %d, %d bytes; want %d, %d bytes", x.err, x.result, x.got.Code, x.got.Body.Len(), want.Code, want.Body.Len())
				}
				for name := range want.Header() {
					if got := x.got.Result().Header[name]; len(got) != 1 || got[0] != want.Header()[name][0] {
						t.Errorf("%s is %q", name, got)
					}
				}
			})
		}
	}
}

// gone is the context of a client that has left.
func gone() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func copyAll(to io.Writer, res *http.Response) (int64, error) { return io.Copy(to, res.Body) }

// TestWhatIsProvedOfAnswersChangesNoVerdict: the engine alone says the same.
func TestWhatIsProvedOfAnswersChangesNoVerdict(t *testing.T) {
	i := watcher(t)
	for _, mode := range []Proof{ProofOff, ProofShadow} {
		other := as(i, mode, i.proving.prover)
		for _, text := range append(append([]string{sqlError, directory, trace, source}, leakTexts...), plainTexts...) {
			proved := answered(t, i, request("GET", "/v1/hotels", "", ""), page(200, "text/html", text))
			asked := answered(t, other, request("GET", "/v1/hotels", "", ""), page(200, "text/html", text))
			if (proved.err == nil) != (asked.err == nil) || proved.tx.WAF.Answer.Score != asked.tx.WAF.Answer.Score || !bytes.Equal(proved.got.Body.Bytes(), asked.got.Body.Bytes()) {
				t.Errorf("%q: %v with score %d, in mode %s %v with %d", text, proved.err, proved.tx.WAF.Answer.Score, mode, asked.err, asked.tx.WAF.Answer.Score)
			}
		}
		if other.proving.program != nil && other.proving.off.Load() {
			t.Error("there is a difference")
		}
	}
}

// TestOrdinaryAnswersAreProved: else each would cost what the engine does.
func TestOrdinaryAnswersAreProved(t *testing.T) {
	for _, text := range plainTexts {
		if x := answered(t, watcher(t), request("GET", "/v1/hotels", "", ""), page(200, "text/html", text)); !x.tx.WAF.Answer.Proof.Clean {
			t.Errorf("%q: %+v", text, x.tx.WAF.Answer.Proof)
		}
	}
}

// credulous says of every answer that it is clean.
type credulous struct{ prover }

func (credulous) proveAnswer(*answer) proof.Verdict { return proof.Verdict{Clean: true} }

// failing has a proof of answers that fails.
type failing struct{ prover }

func (failing) proveAnswer(*answer) proof.Verdict { panic("index out of range") }

func TestAPanicOfTheProofOfAnswersIsUnsureAndTheEngineAnswers(t *testing.T) {
	sound := watcher(t)
	i := as(sound, ProofOn, failing{sound.proving.prover})
	m, log := watched(t, i)
	for range 2 {
		if x := answered(t, i, request("GET", "/v1/hotels", "", ""), page(200, "text/html", sqlError)); code(t, x.err) != problem.AnswerWithheld {
			t.Errorf("a leak passes: %v", x.err)
		}
	}
	if !i.proving.off.Load() || strings.Count(log.String(), "panic in the proof of an answer") != 1 || differences(m, i) != 0 {
		t.Errorf("logged %s", log)
	}
}

func TestABrokenProofOfAnswersIsCaught(t *testing.T) {
	sound := watcher(t)
	t.Run("by a recheck", func(t *testing.T) {
		i := as(sound, ProofOn, credulous{sound.proving.prover})
		i.proving.every = 1
		m, log := watched(t, i)
		g := NewGate(0)
		tx := request("GET", "/v1/hotels", "", "")
		tx.Route = &pipeline.Route{Stages: []pipeline.Stage{NewStage(g, &Use{Inspector: i})}}
		pipeline.Decide(tx)
		if _, err := NewForwarder(page(200, "text/html", sqlError)).Forward(httptest.NewRecorder(), tx); err != nil {
			t.Fatal("the sabotage does not work:", err)
		}
		tx.Done()
		idle(t, g)
		if differences(m, i) != 1 || !strings.Contains(log.String(), "switched off for good") || strings.Contains(log.String(), "SQL syntax") {
			t.Errorf("%d differences, logged %s", differences(m, i), log)
		}
		if x := answered(t, i, request("GET", "/v1/hotels", "", ""), page(200, "text/html", sqlError)); code(t, x.err) != problem.AnswerWithheld {
			t.Error("the next leak passes too")
		}
	})
	t.Run("in shadow", func(t *testing.T) {
		i := as(sound, ProofShadow, credulous{sound.proving.prover})
		m, _ := watched(t, i)
		if x := answered(t, i, request("GET", "/v1/hotels", "", ""), page(200, "text/html", sqlError)); code(t, x.err) != problem.AnswerWithheld || differences(m, i) != 1 {
			t.Errorf("%v, %d differences", x.err, differences(m, i))
		}
	})
	t.Run("not needed for requests that are not clean", func(t *testing.T) {
		i := as(sound, ProofOn, credulous{sound.proving.prover})
		if x := answered(t, i, notClean(), page(200, "text/html", sqlError)); code(t, x.err) != problem.AnswerWithheld || x.tx.WAF.Answer.Proof.Asked {
			t.Errorf("%v, %+v", x.err, x.tx.WAF.Answer.Proof)
		}
	})
	t.Run("at load", func(t *testing.T) {
		if err := as(sound, ProofOn, credulous{sound.proving.prover}).probeAnswers(); err == nil || !strings.Contains(err.Error(), "proof: off") {
			t.Error(err)
		}
	})
}

func TestAProfileThatCannotInspectAnswersIsNotLoaded(t *testing.T) {
	for want, p := range map[string]Profile{
		"it has no end":               {Name: "a", Responses: Responses{Types: "text/event-stream"}},
		"gRPC":                        {Name: "a", Responses: Responses{Types: "application/grpc+proto"}},
		"no media type in lower case": {Name: "a", Responses: Responses{Types: "Text/HTML"}},
		"and ranges":                  {Name: "a", Responses: Responses{Types: "text/*"}},
		"types of their own":          {Name: "a", Responses: Responses{Types: "multipart/mixed"}},
		"it may have 16":              {Name: "a", Responses: Responses{Types: strings.Repeat("text/html ", 17)}},
		"between 1024 and 524288":     {Name: "a", Responses: Responses{Types: "text/html", Body: 1 << 20}},
	} {
		if _, err := p.complete(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something about %q", err, want)
		}
	}
}

// TestAProvedAnswerCostsFewAllocations through stage and forwarder, beside those of
// the test itself.
func TestAProvedAnswerCostsFewAllocations(t *testing.T) {
	most := 30.0
	if raceEnabled {
		most = 400 // it empties pools now and then
	}
	stage := NewStage(NewGate(0), &Use{Inspector: watcher(t)})
	forward := NewForwarder(page(200, "text/html", strings.Repeat("<p>quiet</p>", 100)))
	w := httptest.NewRecorder()
	once := func() {
		tx := request("GET", "/v1/hotels", "", "")
		if err := stage.Decide(tx); err != nil {
			t.Error(err)
		}
		clear(w.Header())
		w.Body.Reset()
		if _, err := forward.Forward(w, tx); err != nil || !tx.WAF.Answer.Proof.Clean {
			t.Error(err, tx.WAF)
		}
		tx.Done()
	}
	n := math.Inf(1)
	for range 5 { // pools are emptied, and verdicts looked at again, at any time
		n = min(n, testing.AllocsPerRun(100, once)-testing.AllocsPerRun(100, func() { request("GET", "/v1/hotels", "", "") }))
	}
	if n > most {
		t.Errorf("%v allocations, at most %v are allowed", n, most)
	} else {
		t.Logf("%v allocations", n)
	}
}

func TestAnExplanationTellsOfTheAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		body, want string
		state      pipeline.State
	}{
		"one that leaks":   {sqlError, "rule 951230", pipeline.Fails},
		"an ordinary page": {"<p>quiet</p>", "proved clean", pipeline.Holds},
	} {
		x := answered(t, watcher(t), request("GET", "/v1/hotels", "", ""), page(200, "text/html", c.body))
		d := pipeline.Decision{Kind: pipeline.Allow}
		if x.err != nil {
			d = pipeline.Decision{Kind: pipeline.Deny, Stage: pipeline.StageForward, Problem: x.err.(*problem.Problem)}
		}
		tree := pipeline.Explain(x.tx, d)[0].Under[0]
		last := tree.Under[len(tree.Under)-1]
		if tree.State != pipeline.Holds || !strings.HasPrefix(last.Text, "the answer, threshold 4") || last.State != c.state || len(last.Under) == 0 || !strings.HasPrefix(last.Under[0].Text, c.want) {
			t.Errorf("%s: %+v", name, tree)
		}
	}
}
