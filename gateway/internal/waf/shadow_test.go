package waf

import (
	"context"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
)

// tally is a counter of a test.
type tally int

func (c *tally) Inc() { *c++ }

// aside is a stage of a profile in shadow, alone, and what it counts.
func aside(t testing.TB, g *Gate) (stage pipeline.Stage, denials, faults *tally) {
	t.Helper()
	denials, faults = new(tally), new(tally)
	return NewStage(g, nil, Use{Inspector: inspector(t), Place: "waf.yaml:3", Denials: denials, Faults: faults}), denials, faults
}

// pass lets a request through a stage as far as its upstream, which reads its
// body.
func pass(t testing.TB, tx *pipeline.Transaction, stage pipeline.Stage, body string) pipeline.Decision {
	t.Helper()
	tx.Route = &pipeline.Route{Stages: []pipeline.Stage{stage}}
	d := pipeline.Decide(tx)
	if d.Kind != pipeline.Allow || d.Rule != "" || tx.Rule != "" || tx.Buffered || tx.Header != nil || tx.WAF.Ran {
		t.Errorf("%+v; buffered %v, header %v, the event would tell of %+v", d, tx.Buffered, tx.Header, tx.WAF)
	}
	if tx.Request.Body != nil {
		if passed, err := io.ReadAll(tx.Request.Body); err != nil || string(passed) != body {
			t.Errorf("%d of %d bytes passed, %v", len(passed), len(body), err)
		}
	}
	tx.Done()
	return d
}

func TestAProfileInShadowTellsWhatItWouldHaveDenied(t *testing.T) {
	long := `{"note":"` + strings.Repeat("a quiet room ", 8000) + `"}`
	for name, tc := range map[string]struct {
		method, target, media, body string
		rule                        string
	}{
		"a search":                    {"GET", "/v1/hotels?city=Helsinki", "", "", ""},
		"a booking":                   {"POST", "/v1/reservations", jsonMedia, `{"hotel":"h-1"}`, ""},
		"an attack in the query":      {"GET", "/v1/hotels?city=1%27%20OR%20%271%27=%271", "", "", "json-api:949110"},
		"an attack in the body":       {"POST", "/v1/reservations", jsonMedia, `{"note":"<script>alert(1)</script>"}`, "json-api:949110"},
		"a body that is no JSON":      {"POST", "/v1/reservations", jsonMedia, `{`, "json-api"},
		"a photo":                     {"POST", "/v1/photos", "image/jpeg", "\xff\xd8", "json-api"},
		"a body longer than it reads": {"POST", "/v1/reservations", jsonMedia, long, "json-api"},
	} {
		t.Run(name, func(t *testing.T) {
			stage, denials, faults := aside(t, NewGate(0))
			tx := request(tc.method, tc.target, tc.media, tc.body)
			if strings.Contains(name, "photo") {
				tx.Request.ContentLength = -1
			}
			pass(t, tx, stage, tc.body)
			var want []pipeline.Shadow
			if tc.rule != "" {
				want = []pipeline.Shadow{{Stage: "inspect", Rule: tc.rule, Place: "waf.yaml:3", Would: pipeline.Deny, Count: denials}}
			}
			if diff := cmp.Diff(want, tx.Shadows); diff != "" || int(*denials) != len(want) || *faults != 0 {
				t.Errorf("%d counted: %s", *denials, diff)
			}
		})
	}
}

func TestAProfileInShadowBesideOneInForceLooksAtTheSameBody(t *testing.T) {
	strict, err := New(Config{Profile: Profile{Name: "strict", BlockingParanoia: 2, Body: leastBody, Proof: ProofOff}, Log: inspector(t).log})
	if err != nil {
		t.Fatal(err)
	}
	stage := NewStage(NewGate(0), &Use{Inspector: inspector(t)}, Use{Inspector: strict})
	for body, want := range map[string]string{
		`{"note":"late arrival"}`:                           "",
		`{"note":"'good' = fine"}`:                          "strict:949110",
		`{"note":"` + strings.Repeat("a", leastBody) + `"}`: "strict",
	} {
		tx := request("POST", "/v1/reservations", jsonMedia, body)
		tx.Route = &pipeline.Route{Stages: []pipeline.Stage{stage}}
		if d := pipeline.Decide(tx); d.Kind != pipeline.Allow || string(tx.Body) != body {
			t.Errorf("%s: %+v", body, d)
		}
		got := ""
		for _, s := range tx.Shadows {
			got += s.Rule
		}
		if got != want {
			t.Errorf("%s: would have been denied by %q, want %q", body, got, want)
		}
	}
	tx := request("POST", "/v1/reservations", jsonMedia, `{"note":"<script>alert(1)</script>"}`)
	tx.Route = &pipeline.Route{Stages: []pipeline.Stage{stage}}
	if d := pipeline.Decide(tx); d.Kind != pipeline.Deny || len(tx.Shadows) != 0 {
		t.Errorf("what is denied is not asked any further: %+v, %v", d, tx.Shadows)
	}
}

func TestBehindAFullGateNothingIsInspectedAndNobodyWaits(t *testing.T) {
	gate := NewGate(1)
	gate.slots <- struct{}{}
	stage, denials, faults := aside(t, gate)
	tx := request("GET", "/v1/hotels?city=1%27%20OR%20%271%27=%271", "", "")
	gone, leave := context.WithCancel(t.Context())
	leave() // whoever waits notices that the client has left
	tx.Request = tx.Request.WithContext(gone)
	d := pass(t, tx, stage, "")
	if tx.ClientErr() != nil {
		t.Error("it waited")
	}
	if len(tx.Shadows) != 1 || tx.Shadows[0].Would != pipeline.Fault || *denials != 0 || *faults != 1 {
		t.Errorf("recorded %+v", tx.Shadows)
	}
	if r := pipeline.Explain(tx, d)[0].Under[0]; r.State != pipeline.Broken || !strings.Contains(r.Value, "not inspected") {
		t.Errorf("explained as %+v", r)
	}
	if gate.waiting.Load() != 0 || len(gate.slots) != 1 {
		t.Error("the gate has lost count")
	}
}

func TestABrokenEngineInShadowRefusesNobody(t *testing.T) {
	gate := NewGate(1)
	sound := inspector(t)
	var faults tally
	broken := &Inspector{profile: sound.profile, engine: panicking{sound.engine}, log: sound.log}
	tx := request("GET", "/v1/hotels", "", "")
	pass(t, tx, NewStage(gate, nil, Use{Inspector: broken, Faults: &faults}), "")
	if faults != 1 || tx.Shadows[0].Would != pipeline.Fault || len(gate.slots) != 0 {
		t.Errorf("%d faults, %+v, %d at the gate", faults, tx.Shadows, len(gate.slots))
	}
}

func TestExplainTellsWhatMatchedWhereAndWhatWouldHaveLetItPass(t *testing.T) {
	with, err := excluding()
	if err != nil {
		t.Fatal(err)
	}
	use := Use{Inspector: with, Place: "waf.yaml:3", Exclusions: []string{"waf.yaml:8"}}
	explain := func(stage pipeline.Stage, body string) pipeline.Reason {
		tx := request("POST", "/v1/reservations", jsonMedia, body)
		tx.Route = &pipeline.Route{Stages: []pipeline.Stage{stage}}
		d := pipeline.Decide(tx)
		_, _ = io.ReadAll(tx.Request.Body)
		tx.Done()
		return pipeline.Explain(tx, d)[0].Under[0]
	}
	const text = "profile json-api, threshold 5 (paranoia 1, reporting up to 2)"
	hit := func(rule int, message, target, mend string) pipeline.Reason {
		state := pipeline.Neutral
		if mend != "" {
			state, mend = pipeline.Fails, "an exclusion of rule "+strconv.Itoa(rule)+" for "+target
		}
		return pipeline.Reason{Text: "rule " + strconv.Itoa(rule) + ": " + message, Value: target, State: state, Mend: mend}
	}
	for name, tc := range map[string]struct {
		stage pipeline.Stage
		body  string
		want  pipeline.Reason
	}{
		"what the exclusion is for": {NewStage(NewGate(0), &use), `{"note":"'good' or 'great' = fine"}`, pipeline.Reason{
			Text: text, State: pipeline.Holds, Value: "score 0", Place: "waf.yaml:3", Under: []pipeline.Reason{
				hit(942390, "SQL Injection Attack (reported only)", "ARGS:json.note", ""),
				hit(942520, "Detects basic SQL authentication bypass attempts 4.0/4 (reported only)", "ARGS:json.note", ""),
				{Text: "ARGS:json.note is kept from rules 942100", Place: "waf.yaml:8"},
				{Text: "the proof is unsure: rule 942390, a rule"},
			},
		}},
		"the same elsewhere": {NewStage(NewGate(0), &use), `{"name":"'good' or 'great' = fine"}`, pipeline.Reason{
			Text: text, State: pipeline.Fails, Value: "score 5", Place: "waf.yaml:3", Under: []pipeline.Reason{
				hit(942100, "SQL Injection Attack Detected via libinjection", "ARGS:json.name", "!"),
				hit(942390, "SQL Injection Attack (reported only)", "ARGS:json.name", ""),
				hit(942520, "Detects basic SQL authentication bypass attempts 4.0/4 (reported only)", "ARGS:json.name", ""),
				{Text: "the proof is unsure: rule 942100, a rule"},
			},
		}},
		"the same in shadow": {NewStage(NewGate(0), nil, use), `{"name":"'good' or 'great' = fine"}`, pipeline.Reason{
			Text: text, State: pipeline.Fails, Value: "score 5", Place: "waf.yaml:3", Shadow: true, Under: []pipeline.Reason{
				hit(942100, "SQL Injection Attack Detected via libinjection", "ARGS:json.name", "!"),
				hit(942390, "SQL Injection Attack (reported only)", "ARGS:json.name", ""),
				hit(942520, "Detects basic SQL authentication bypass attempts 4.0/4 (reported only)", "ARGS:json.name", ""),
				{Text: "the proof is unsure: rule 942100, a rule"},
			},
		}},
		"what is refused before": {NewStage(NewGate(0), &use), `{`, pipeline.Reason{
			Text: text, State: pipeline.Fails, Value: "refused before any rule was asked: The body is not valid JSON.", Place: "waf.yaml:3",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, explain(tc.stage, tc.body)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An exclusion takes away what the first link of a chain looks at, so that is
// what is told.
func TestOfAChainTheFirstLinkIsTold(t *testing.T) {
	tx := request("POST", "/v1/reservations", jsonMedia, jsonOf(t, map[string]string{"note": "'good' or 'great' = <script>alert(1)</script>"}))
	decide(t, tx)
	told := 0
	for _, m := range tx.WAF.Matches {
		if m.Target != "ARGS:json.note" {
			t.Errorf("%+v", m)
		}
		if m.Rule == 932200 {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the chain 932200 is told %d times: %+v", told, tx.WAF.Matches)
	}
}

func TestNothingOfARequestsValuesIsKept(t *testing.T) {
	secret := "hunter2' OR '1'='1' UNION SELECT password FROM users-- -"
	tx := request("POST", "/v1/reservations?"+strings.Repeat("n", 200)+"=1%27%20OR%20%271%27=%271", jsonMedia, jsonOf(t, map[string]string{"note": secret}))
	if decide(t, tx); len(tx.WAF.Matches) == 0 {
		t.Fatal("nothing matched")
	}
	for _, m := range tx.WAF.Matches {
		if strings.Contains(m.Target+m.Message, "hunter2") || len(m.Target) > 100 {
			t.Errorf("kept %+v", m)
		}
	}
}
