package waf

import (
	"bytes"
	"cmp"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/gateway/internal/pipeline"
	"portcullis/gateway/internal/waf/proof"
	"portcullis/services/problem"
)

// as is an inspector with the engine of another, whose proof is p.
func as(i *Inspector, mode Proof, p prover) *Inspector {
	made := &Inspector{profile: i.profile, exclusions: i.exclusions, patches: i.patches, patchRules: i.patchRules, engine: i.engine, directives: i.directives, rules: i.rules, log: i.log}
	made.profile.Proof = mode
	made.proving = proving{mode: mode}
	if mode != ProofOff {
		made.proving.program = &program{prover: p, record: new(record)}
	}
	return made
}

// lie is a proof that was broken on purpose.
type lie func(s *subject) proof.Verdict

func (l lie) prove(s *subject) proof.Verdict { return l(s) }

func (l lie) head(s *subject) proof.Verdict { return l(s) }

// gullible says of everything that it is clean.
func gullible(*subject) proof.Verdict { return proof.Verdict{Clean: true} }

// watched counts what an inspector's proof does, and keeps its log.
func watched(t *testing.T, i *Inspector) (*Metrics, *bytes.Buffer) {
	t.Helper()
	m, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	i.proving.meter, i.log = m.of(i.profile.Name), slog.New(slog.NewJSONHandler(&log, nil))
	return m, &log
}

func differences(m *Metrics, i *Inspector) int {
	return int(testutil.ToFloat64(m.differences.WithLabelValues(i.profile.Name)))
}

// copied is the same request once more.
func copied(t testing.TB, tx *pipeline.Transaction) *pipeline.Transaction {
	t.Helper()
	r := tx.Request.Clone(tx.Request.Context())
	if tx.Request.Body != nil && tx.Request.Body != http.NoBody {
		body, err := io.ReadAll(tx.Request.Body)
		if err != nil {
			t.Fatal(err)
		}
		tx.Request.Body, r.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
	}
	c := &pipeline.Transaction{Request: r, ID: tx.ID, Host: tx.Host, Path: tx.Path, Source: tx.Source}
	if err := c.ReadQuery(tx.Query.Raw()); err != nil {
		t.Fatal(err)
	}
	return c
}

func through(i *Inspector, g *Gate, tx *pipeline.Transaction) pipeline.Decision {
	tx.Route = &pipeline.Route{Stages: []pipeline.Stage{NewStage(g, &Use{Inspector: i})}}
	return pipeline.Decide(tx)
}

// sameInEveryMode runs a request once more with the proof in shadow and without
// it: all that was found, and decided, must be what it was.
func sameInEveryMode(t testing.TB, i *Inspector, tx, again *pipeline.Transaction, was pipeline.Decision) {
	t.Helper()
	turn := modes.Add(1) % 3
	for n, mode := range []Proof{ProofShadow, ProofOff} {
		if raceEnabled && turn != int64(n) {
			continue // one of the two or none, in turns: the engine is dear there
		}
		other := as(i, mode, i.proving.prover)
		tx2 := copied(t, again)
		d := through(other, NewGate(0), tx2)
		want, got := tx.WAF, tx2.WAF
		want, got = inOrder(want), inOrder(got)
		if d.Kind != was.Kind || d.Rule != was.Rule || codeOf(d.Problem) != codeOf(was.Problem) {
			t.Errorf("with the proof %s: %v by %q (%v), with the proof on: %v by %q (%v)", mode, d.Kind, d.Rule, d.Problem, was.Kind, was.Rule, was.Problem)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("with the proof %s (-on +%[1]s):\n%s", mode, diff)
		}
		if mode == ProofShadow && other.proving.off.Load() {
			t.Error("the proof differs from the engine")
		}
	}
}

// modes counts the requests that were run in other modes too.
var modes atomic.Int64

// inOrder is what was found without what only the proof said. The engine keeps
// fields in a map.
func inOrder(i pipeline.Inspection) pipeline.Inspection {
	i.Proof, i.Matches = pipeline.Proof{}, slices.Clone(i.Matches)
	slices.SortFunc(i.Matches, func(a, b pipeline.Match) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Target, b.Target))
	})
	return i
}

func codeOf(p *problem.Problem) problem.Code {
	if p == nil {
		return ""
	}
	return p.Code
}

func TestAnOrdinaryRequestIsProvedAndNeitherGateNorEngineIsEntered(t *testing.T) {
	sound := inspector(t)
	i := as(sound, ProofOn, sound.proving.prover)
	i.engine = panicking{i.engine}
	gate := NewGate(1)
	gate.slots <- struct{}{} // nobody gets in
	tx := request("POST", "/v1/reservations", jsonMedia, `{"hotel":"h-1","note":"late arrival"}`)
	d := through(i, gate, tx)
	want := pipeline.Inspection{Profile: "json-api", Ran: true, Proof: pipeline.Proof{Asked: true, Clean: true}}
	if diff := gocmp.Diff(want, tx.WAF); d.Kind != pipeline.Allow || diff != "" {
		t.Errorf("%+v: %s", d, diff)
	}
	aside := NewStage(gate, nil, Use{Inspector: i})
	tx = request("GET", "/v1/hotels?city=Helsinki", "", "")
	pass(t, tx, aside, "")
	if diff := gocmp.Diff([]pipeline.Inspection{want}, tx.ShadowWAF); diff != "" || len(tx.Shadows) != 0 {
		t.Errorf("%v: %s", tx.Shadows, diff)
	}
}

// An attack takes the whole of today's path: bounds first, then a turn at the
// gate, and the score and the rules are the engine's.
func TestWhatIsNotProvedTakesTheEnginesPathWhole(t *testing.T) {
	tx := request("POST", "/v1/reservations", jsonMedia, `{"note":"<script>alert(1)</script>"}`)
	d := decide(t, tx)
	if p := tx.WAF.Proof; d.Kind != pipeline.Deny || tx.WAF.Score < 5 || !p.Asked || p.Clean || p.Rule == 0 || p.Why == "" {
		t.Errorf("%v, %+v", d.Kind, tx.WAF)
	}
}

// What the engine would read in another way than was bounded is refused on its
// path; a proof that took the rules' word for it would let it pass.
func TestABodyThatTheRulesWouldReadOtherwiseIsNotProved(t *testing.T) {
	p := compile("SecRuleEngine On\nSecRequestBodyAccess On\n"+
		`SecRule REQUEST_HEADERS:Content-Type "@rx odd" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"`+"\n"+
		`SecRule ARGS "@rx attack" "id:2,phase:2,deny"`, files(nil), nil, nil)
	if len(p.unprovable) > 0 {
		t.Fatal(p.unprovable)
	}
	for f, clean := range map[format]bool{formatJSON: true, formatForm: false} {
		s := &subject{body: []byte(`{"a":"b"}`), format: f}
		s.Method, s.Target, s.Proto = "POST", "/", "HTTP/1.1"
		s.field("Content-Type", "application/x-www-form-urlencoded; odd=1")
		if v := p.prove(s); v.Clean != clean {
			t.Errorf("read as JSON and bounded as %s: %+v", f.processor(), v)
		}
	}
	for name, media := range map[string]string{
		"JSON with a form's type behind it": "application/x+json; a=application/x-www-form-urlencoded",
		"JSON in capitals":                  "APPLICATION/JSON",
		"a vendor's JSON":                   "application/vnd.hotel+json",
		"JSON by our reading alone":         "application/a_b+json",
	} {
		t.Run(name, func(t *testing.T) { decide(t, request("POST", "/v1/reservations", media, `{"a":1}`)) }) // in every mode
	}
}

// A proof that fails is no answer, and is not asked again.
func TestAPanicOfTheProofIsUnsureAndTheEngineAnswers(t *testing.T) {
	asked := 0
	i := as(inspector(t), ProofOn, lie(func(*subject) proof.Verdict { asked++; panic("index out of range") }))
	m, log := watched(t, i)
	for range 3 {
		if d := through(i, NewGate(0), request("GET", "/v1/hotels?city=1%27%20OR%20%271%27=%271", "", "")); d.Kind != pipeline.Deny {
			t.Errorf("%v: %v", d.Kind, d.Problem)
		}
		tx := request("GET", "/v1/hotels", "", "")
		if d := through(i, NewGate(0), tx); d.Kind != pipeline.Allow || tx.WAF.Proof.Clean || !tx.WAF.Ran {
			t.Errorf("%v, %+v", d.Kind, tx.WAF)
		}
	}
	if asked != 1 || !strings.Contains(log.String(), "proving_test.go") || strings.Count(log.String(), "panic") == 0 {
		t.Errorf("asked %d times, logged %s", asked, log)
	}
	if n := testutil.ToFloat64(m.rules.WithLabelValues("json-api", "panic")); n != 1 || testutil.ToFloat64(m.off.WithLabelValues("json-api")) != 1 || differences(m, i) != 0 {
		t.Errorf("%v panics counted", n)
	}
}

func TestInShadowTheEngineDecidesAndDifferencesAreCounted(t *testing.T) {
	i := as(inspector(t), ProofShadow, lie(gullible))
	m, log := watched(t, i)
	for n := range 3 {
		attack := request("POST", "/v1/reservations", jsonMedia, `{"note":"<script>alert('s3cr3t')</script>"}`)
		if d := through(i, NewGate(0), attack); d.Kind != pipeline.Deny || attack.WAF.Score < 5 {
			t.Errorf("%v, %+v", d.Kind, attack.WAF)
		}
		if got := differences(m, i); got != n+1 {
			t.Errorf("%d differences are counted after %d", got, n+1)
		}
	}
	if d := through(i, NewGate(0), request("GET", "/v1/hotels", "", "")); d.Kind != pipeline.Allow || differences(m, i) != 3 {
		t.Errorf("%v, %d differences", d.Kind, differences(m, i))
	}
	if strings.Count(log.String(), "switched off for good") != 1 || strings.Contains(log.String(), "s3cr3t") {
		t.Errorf("the alarm is to be raised once, without a part of the request:\n%s", log)
	}
	// In a profile that only looks on, the same.
	aside := as(inspector(t), ProofShadow, lie(gullible))
	m, _ = watched(t, aside)
	pass(t, request("GET", "/v1/hotels?city=1%27%20OR%20%271%27=%271", "", ""), NewStage(NewGate(0), nil, Use{Inspector: aside}), "")
	if differences(m, aside) != 1 {
		t.Error("the difference is not counted")
	}
}

// A failure of the engine says nothing about the proof.
func TestAFailureOfTheEngineIsNoDifference(t *testing.T) {
	i := as(inspector(t), ProofShadow, lie(gullible))
	i.engine = panicking{i.engine}
	m, _ := watched(t, i)
	if d := through(i, NewGate(0), request("GET", "/", "", "")); d.Kind != pipeline.Fault || differences(m, i) != 0 || i.proving.off.Load() {
		t.Errorf("%v, %d differences", d.Kind, differences(m, i))
	}
}

func TestOffAsksTheEngineAlone(t *testing.T) {
	i, err := New(Config{Profile: Profile{Name: "json-api", Proof: ProofOff}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	tx := request("GET", "/v1/hotels", "", "")
	if d := through(i, NewGate(0), tx); d.Kind != pipeline.Allow || tx.WAF.Proof.Asked || i.proving.program != nil || i.Unprovable() != nil {
		t.Errorf("%v, %+v", d.Kind, tx.WAF)
	}
}

func TestExclusionsAreToldOfWhatIsProvedToo(t *testing.T) {
	i, err := excluding()
	if err != nil {
		t.Fatal(err)
	}
	for _, tx := range []*pipeline.Transaction{
		request("POST", "/", jsonMedia, `{"note":"late arrival"}`),
		request("POST", "/", jsonMedia, `{"Note":"late arrival"}`),
		request("POST", "/", jsonMedia, `{"notes":"late arrival"}`),
		request("POST", "/", formMedia, "json.note=late"),
		request("POST", "/", formMedia, "note=late"),
		request("GET", "/?json.note=late", "", ""),
		request("GET", "/", "", ""),
	} {
		again := copied(t, tx)
		d := through(i, NewGate(0), tx)
		if !tx.WAF.Proof.Clean {
			t.Errorf("%s %s is not proved: %+v", tx.Request.Method, tx.Request.URL, tx.WAF)
		}
		sameInEveryMode(t, i, tx, again, d)
	}
	form := request("POST", "/", "multipart/form-data; boundary=b", crlf("--b\nContent-Disposition: form-data; name=\"json.note\"\n\nlate\n--b--\n"))
	body, err := io.ReadAll(form.Request.Body)
	if err != nil {
		t.Fatal(err)
	}
	if told := i.excludedIn(i.subject(form, body, formatMultipart)); len(told) != 1 {
		t.Errorf("of a multipart form with the field it is told of %v", told)
	}
}

func TestOneProofServesManyAtOnce(t *testing.T) {
	sound := inspector(t)
	i := as(sound, ProofOn, sound.proving.prover)
	i.proving.every = 20
	m, _ := watched(t, i)
	gate := NewGate(0)
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() {
			for range 15 {
				for _, r := range []struct {
					tx   *pipeline.Transaction
					kind pipeline.Kind
				}{
					{request("GET", "/v1/hotels?city=Helsinki&guests=2", "", ""), pipeline.Allow},
					{request("POST", "/v1/reservations", jsonMedia, `{"hotel":"h-1","note":"late arrival"}`), pipeline.Allow},
					{request("POST", "/v1/sign-in", formMedia, "name=Maija&remember=on"), pipeline.Allow},
				} {
					if d := through(i, gate, r.tx); d.Kind != r.kind || !r.tx.WAF.Proof.Clean {
						t.Errorf("%v: %v, %+v", d.Kind, d.Problem, r.tx.WAF)
					}
				}
			}
			attack := request("GET", "/v1/hotels?city=1%27%20OR%20%271%27=%271", "", "")
			if d := through(i, gate, attack); d.Kind != pipeline.Deny {
				t.Error("an attack passes")
			}
		})
	}
	waiting.Wait()
	idle(t, gate)
	clean := testutil.ToFloat64(m.verdicts.WithLabelValues("json-api", "clean"))
	unsure := testutil.ToFloat64(m.verdicts.WithLabelValues("json-api", "unsure"))
	if clean != 8*15*3 || unsure != 8 || differences(m, i) != 0 {
		t.Errorf("%v clean, %v unsure, %d differences", clean, unsure, differences(m, i))
	}
}

func TestRulesAreCountedWithinABound(t *testing.T) {
	r := prometheus.NewRegistry()
	m, err := NewMetrics(r)
	if err != nil {
		t.Fatal(err)
	}
	of := m.of("json-api")
	for id := range 3 * mostUnsureRules {
		of.unsure(id)
		of.unsure(id)
	}
	if n := testutil.CollectAndCount(m.rules); n != mostUnsureRules+2 { // none and other
		t.Errorf("%d series", n)
	}
	if n := testutil.ToFloat64(m.rules.WithLabelValues("json-api", "7")); n != 2 {
		t.Errorf("rule 7 counts %v", n)
	}
	m.Forget("json-api")
	if n, err := testutil.GatherAndCount(r); n != 0 || err != nil {
		t.Errorf("%d series of a profile that is gone, %v", n, err)
	}
	(*Metrics)(nil).Forget("json-api")
}

var plainPrograms = NewPrograms()

// plain is an inspector of the default profile.
var plain = sync.OnceValues(func() (*Inspector, error) {
	return New(Config{Profile: Profile{Name: "plain"}, Programs: plainPrograms, Log: slog.New(slog.DiscardHandler)})
})

// TestAProvedGETCostsFewAllocations through the whole stage.
func TestAProvedGETCostsFewAllocations(t *testing.T) {
	most := 10.0
	if raceEnabled {
		most = 200 // it empties pools now and then
	}
	i, err := plain()
	if err != nil {
		t.Fatal(err)
	}
	// Without re-checks, which ask the engine at random times.
	i = as(i, ProofOn, i.proving.prover)
	stage := NewStage(NewGate(0), &Use{Inspector: i})
	for _, target := range []string{"/v1/hotels/h-1", "/v1/hotels?city=Helsinki&from=2027-01-10&to=2027-01-12&guests=2&page=1"} {
		tx := request("GET", target, "", "")
		if n := testing.AllocsPerRun(200, func() {
			if err := stage.Decide(tx); err != nil || !tx.WAF.Proof.Clean {
				t.Error(err, tx.WAF)
			}
		}); n > most {
			t.Errorf("%s: %v allocations, at most %v are allowed", target, n, most)
		} else {
			t.Logf("%s: %v allocations", target, n)
		}
	}
}

// proveAnswer is unsure of every answer.
func (l lie) proveAnswer(*answer) proof.Verdict { return proof.Verdict{} }
