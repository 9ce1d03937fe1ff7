package waf

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// besides sends a request through a profile in mode shadow to an upstream.
func besides(t testing.TB, g *Gate, enforced *Use, tx *pipeline.Transaction, u upstream) (x exchange, denials, faults tally) {
	t.Helper()
	use := Use{Inspector: watcher(t), Place: "waf.yaml:3", Denials: &denials, Faults: &faults}
	x = exchange{tx: tx, got: httptest.NewRecorder()}
	tx.Route = &pipeline.Route{Stages: []pipeline.Stage{NewStage(g, enforced, use)}}
	if d := pipeline.Decide(tx); d.Kind != pipeline.Allow {
		t.Fatalf("the request is not allowed: %v", d.Problem)
	}
	x.result, x.err = NewForwarder(u).Forward(x.got, tx)
	tx.Done()
	return x, denials, faults
}

func TestAProfileInShadowTellsWhichAnswersItWouldHaveWithheld(t *testing.T) {
	long := strings.Repeat("<p>quiet</p>", 5000)
	for name, c := range map[string]struct {
		u    upstream
		rule string
		is   pipeline.Kind
	}{
		"a page":                    {page(200, "text/html", "<p>quiet</p>"), "", 0},
		"a long page":               {page(200, "text/html", long), "", 0},
		"a leak":                    {page(200, "text/html", sqlError), "answers:959100", pipeline.Deny},
		"a leak in a long page":     {page(200, "text/html", sqlError+long), "answers:959100", pipeline.Deny},
		"a leak after what is seen": {page(200, "text/html", long+sqlError), "", 0},
		"a leak of another type":    {page(200, "text/plain", sqlError), "", 0},
		"an answer that it cannot read": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			page(200, "text/html", "\x1f\x8b")(w, r)
		}, "answers", pipeline.Fault},
		"a part of a page": {page(206, "text/html", "<p>qui"), "answers", pipeline.Fault},
	} {
		for how, tx := range map[string]*pipeline.Transaction{"clean": request("GET", "/v1/hotels", "", ""), "not clean": notClean()} {
			t.Run(name+", to a request that is "+how, func(t *testing.T) {
				want := httptest.NewRecorder()
				c.u(want, tx.Request)
				g := NewGate(0)
				x, denials, faults := besides(t, g, nil, tx, c.u)
				if x.err != nil || x.got.Code != want.Code || !bytes.Equal(x.got.Body.Bytes(), want.Body.Bytes()) || len(x.got.Header()) != len(want.Header()) || tx.Rule != "" || tx.WAF.Ran {
					t.Errorf("the answer is changed: %v, %d, %v", x.err, x.got.Code, x.got.Header())
				}
				switch {
				case c.rule == "" && len(tx.Shadows) == 0:
				case c.rule != "" && len(tx.Shadows) == 1 && tx.Shadows[0].Rule == c.rule && tx.Shadows[0].Would == c.is && tx.Shadows[0].Place == "waf.yaml:3":
				default:
					t.Errorf("recorded %+v, want %q", tx.Shadows, c.rule)
				}
				if got := int(denials) + int(faults); got != len(tx.Shadows) {
					t.Errorf("counted %d", got)
				}
				if g.held.Load() != 0 || g.sessions.Load() != 0 || len(g.slots) != 0 {
					t.Errorf("%d bytes are held, %d sessions are open", g.held.Load(), g.sessions.Load())
				}
			})
		}
	}
}

func TestAProfileInShadowSeesTheAnswerToABody(t *testing.T) {
	for name, body := range map[string]string{"an ordinary one": `{"hotel":"h-1"}`, "one that it would have denied": `{"note":"<script>alert(1)</script>"}`} {
		tx := request("POST", "/v1/reservations", jsonMedia, body)
		x, _, _ := besides(t, NewGate(0), nil, tx, func(w http.ResponseWriter, r *http.Request) {
			var read bytes.Buffer
			_, _ = read.ReadFrom(r.Body)
			page(200, "text/html", sqlError)(w, r)
		})
		// Who would not have been let in would not have had an answer.
		want := "answers:959100"
		if body[2] == 'n' {
			want = "answers:949110"
		}
		if x.err != nil || len(tx.Shadows) != 1 || tx.Shadows[0].Rule != want {
			t.Errorf("%s: %v, %+v", name, x.err, tx.Shadows)
		}
	}
}

func TestAProfileInShadowStandsBesideOneInForce(t *testing.T) {
	tx := request("GET", "/v1/hotels", "", "")
	x, denials, _ := besides(t, NewGate(0), &Use{Inspector: watcher(t)}, tx, page(200, "text/html", sqlError))
	if code(t, x.err) == "" || denials != 0 || x.got.Body.Len() > 0 {
		t.Errorf("%v, %d", x.err, denials)
	}
	tx = request("GET", "/v1/hotels", "", "")
	x, denials, _ = besides(t, NewGate(0), &Use{Inspector: inspector(t)}, tx, page(200, "text/html", sqlError))
	if x.err != nil || denials != 1 || x.got.Body.String() != sqlError {
		t.Errorf("beside one that does not look at answers: %v, %d", x.err, denials)
	}
}

func TestAShadowThatCannotLookSaysSo(t *testing.T) {
	for name, fill := range map[string]func(*Gate){
		"the gate is full": func(g *Gate) { g.slots <- struct{}{} },
		"the memory is":    func(g *Gate) { g.reserve(maxHeld) },
	} {
		g := NewGate(1)
		fill(g)
		x, denials, faults := besides(t, g, nil, request("GET", "/v1/hotels", "", ""), page(200, "text/html", sqlError))
		if x.err != nil || x.got.Body.String() != sqlError || denials != 0 || faults != 1 {
			t.Errorf("%s: %v, %d denials, %d faults", name, x.err, denials, faults)
		}
	}
}
