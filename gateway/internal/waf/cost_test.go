package waf

import (
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// costing is an inspector whose engine must not be entered.
func costing(t *testing.T, cost time.Duration, over Over) *Inspector {
	t.Helper()
	sound, err := plain()
	if err != nil {
		t.Fatal(err)
	}
	i := as(sound, ProofOn, sound.proving.prover)
	i.profile.Cost, i.profile.Over, i.engine = cost, over, panicking{i.engine}
	return i
}

// The worst legal bodies would take the whole engine half a second each.
func TestTheDearestRequestsAreRefusedBeforeAnyRuleIsAsked(t *testing.T) {
	refused, asked := map[string]bool{}, 0
	i := costing(t, defaultCost, OverReject)
	for _, of := range dear() {
		tx := of.tx()
		d := through(i, NewGate(0), tx)
		switch {
		case d.Kind == pipeline.Fault: // it entered the engine, which panics here
			asked++
		case d.Kind == pipeline.Deny && d.Rule == "waf:plain:cost":
			refused[of.name] = true
			if d.Problem.Code != problem.BodyTooLarge || d.Problem.Detail == "" || tx.WAF.Ran {
				t.Errorf("%s: %v, %+v", of.name, d.Problem, tx.WAF)
			}
		case of.name != "form900args": // more arguments than this profile takes
			t.Errorf("%s: %v by %q: %v", of.name, d.Kind, d.Rule, d.Problem)
		}
	}
	for _, name := range []string{"plain60KiB", "quotes60KiB", "punctuation60KiB", "attacks60KiB", "letters60KiB"} {
		if !refused[name] {
			t.Errorf("%s is not refused", name)
		}
	}
	if asked < 10 {
		t.Errorf("only %d of the others are shown to the rules: the bound is too low to be of use", asked)
	}
}

// Quotes that are doubled or escaped take @detectSQLi time that grows with the
// square of their number: two seconds for one of these, in the proof alone.
func TestQuotesThatTakeSecondsAreRefusedUnread(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	tangle := func(pieces ...string) string {
		var b strings.Builder
		for b.Len() < 60_000 {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	i := costing(t, defaultCost, OverReject)
	for name, note := range map[string]string{
		"single":  tangle("''", "a"),
		"double":  tangle(`\"`, "/"),
		"escaped": "'" + tangle(`\\'`, "a"),
	} {
		tx := request("POST", "/v1/notes", jsonMedia, `{"note":"`+note+`"}`)
		if d := through(i, NewGate(0), tx); d.Kind != pipeline.Deny || d.Rule != "waf:plain:cost" {
			t.Errorf("%s: %v by %q", name, d.Kind, d.Rule)
		}
		// Behind an attack that has been found, they cost the engine as much.
		tx = request("POST", "/v1/notes", jsonMedia, `{"a":"1' or '1'='1","note":"`+note[:20_001]+`"}`)
		if d := through(i, NewGate(0), tx); d.Kind != pipeline.Deny || d.Rule != "waf:plain:cost" {
			t.Errorf("%s behind an attack: %v by %q", name, d.Kind, d.Rule)
		}
		s := i.subject(request("POST", "/v1/notes", formMedia, ""), []byte("note="+url.QueryEscape(note)), formatForm)
		if cost := i.profile.wholeCost(s); cost < MaxCost {
			t.Errorf("%s: without a proof estimated to take %v", name, cost)
		}
	}
	text := strings.Repeat(`it''s "quoted" text of an ordinary kind, "" and so on. `, 10)
	tx := request("POST", "/v1/notes", jsonMedia, `{"note":`+strconv.Quote(text)+`}`)
	if d := through(i, NewGate(0), tx); d.Kind == pipeline.Deny {
		t.Errorf("an ordinary text is refused by %q", d.Rule)
	}
}

func TestWhatIsProvedCleanIsNeverOver(t *testing.T) {
	i := costing(t, MinCost, OverReject)
	for name, tx := range map[string]*pipeline.Transaction{
		"a text of 60 KB": request("POST", "/v1/notes", jsonMedia, `{"note":"`+strings.Repeat("a quiet room by the sea ", 2500)+`"}`),
		"250 numbers":     request("POST", "/v1/notes", jsonMedia, list(250)),
	} {
		if d := through(i, NewGate(0), tx); d.Kind != pipeline.Allow || !tx.WAF.Proof.Clean {
			t.Errorf("%s: %v by %q, %+v", name, d.Kind, d.Rule, tx.WAF)
		}
	}
}

func TestOverTheBoundARequestIsRefusedOrPassesUninspectedAndIsRecorded(t *testing.T) {
	body := `{"note":"` + strings.Repeat("a quiet room by the sea ", 2500) + `' UNION SELECT name,password FROM users-- -"}`
	would := []pipeline.Shadow{{Stage: Stage, Rule: "plain:cost", Would: pipeline.Deny}}

	i := costing(t, defaultCost, OverReject)
	m, _ := watched(t, i)
	tx := request("POST", "/v1/notes", jsonMedia, body)
	d := through(i, NewGate(0), tx)
	if d.Kind != pipeline.Deny || d.Rule != "waf:plain:cost" || len(tx.Shadows) != 0 {
		t.Errorf("reject: %v by %q, %v", d.Kind, d.Rule, tx.Shadows)
	}
	tx = request("GET", "/v1/hotels?q="+strings.Repeat("%27%20or%201=1--%20", 400), "", "")
	if d := through(costing(t, MinCost, OverReject), NewGate(0), tx); d.Problem == nil || d.Problem.Code != problem.HeadersTooLarge {
		t.Errorf("reject without a body: %v, %v", d.Kind, d.Problem)
	}
	// A profile in shadow refuses nobody.
	tx = request("POST", "/v1/notes", jsonMedia, body)
	pass(t, tx, NewStage(NewGate(0), nil, Use{Inspector: i}), body)
	if diff := gocmp.Diff(would, tx.Shadows); diff != "" {
		t.Errorf("in shadow: %s", diff)
	}
	if n := testutil.ToFloat64(m.dear.WithLabelValues("plain")); n != 2 {
		t.Errorf("%v are counted", n)
	}

	i = costing(t, defaultCost, OverRecord)
	m, _ = watched(t, i)
	tx = request("POST", "/v1/notes", jsonMedia, body)
	d = through(i, NewGate(0), tx)
	if diff := gocmp.Diff(would, tx.Shadows); d.Kind != pipeline.Allow || tx.WAF.Ran || diff != "" {
		t.Errorf("record: %v by %q, %+v %s", d.Kind, d.Rule, tx.WAF, diff)
	}
	if r := (&Use{Inspector: i}).explain(tx.WAF, pipeline.Holds, nil); !strings.Contains(r.Value, "not inspected") {
		t.Errorf("record: explained as %+v", r)
	}
	if n := testutil.ToFloat64(m.dear.WithLabelValues("plain")); n != 1 {
		t.Errorf("%v are counted", n)
	}
}

// What the proof does not decide costs the whole price of the rules; when there is
// no proof, that is so of every request, and none may be refused for it that would
// be proved.
func TestWithoutAProofTheBoundIsOneSecond(t *testing.T) {
	i := costing(t, defaultCost, OverReject)
	subject := func(body string) *subject {
		return i.subject(request("POST", "/v1/notes", jsonMedia, body), []byte(body), formatJSON)
	}
	long, longer := subject(`"`+strings.Repeat("a", 60_000)+`"`), subject(list(900)+strings.Repeat("a", 100_000))
	unsure := pipeline.Proof{Asked: true, Why: "the request target is not plain"}
	if cost, over := i.tooDear(long, unsure); !over || cost < 100*time.Millisecond {
		t.Errorf("what cannot be proved is estimated to take %v", cost)
	}
	if cost, over := i.tooDear(subject(`{"a":"b"}`), unsure); over {
		t.Errorf("a small one is estimated to take %v", cost)
	}
	i.proving.off.Store(true)
	if cost, over := i.tooDear(long, pipeline.Proof{}); over {
		t.Errorf("with the proof switched off: %v", cost)
	}
	if cost, over := i.tooDear(longer, pipeline.Proof{}); over != (cost > MaxCost) {
		t.Errorf("with the proof switched off: %v, %t", cost, over)
	}
	without := as(i, ProofOff, nil)
	if cost, over := without.tooDear(long, pipeline.Proof{}); over {
		t.Errorf("without a proof: %v", cost)
	}
}

func TestAProfileWithACostOutOfBoundsIsRefused(t *testing.T) {
	for want, p := range map[string]Profile{
		"inspect.cost": {Name: "x", Cost: 2 * time.Second},
		"cost in":      {Name: "x", Cost: time.Microsecond},
		"inspect.over": {Name: "x", Over: "ignore"},
	} {
		if _, err := p.complete(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
