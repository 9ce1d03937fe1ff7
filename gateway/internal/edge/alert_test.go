package edge

import (
	"encoding/json"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
)

// written keeps the lines it is given.
type written struct{ lines []string }

func (w *written) Write(line []byte) (int, error) {
	w.lines = append(w.lines, string(line))
	return len(line), nil
}

// suspect is a request in which the rules found something.
func suspect() *exchange {
	x := &exchange{}
	x.tx.Request = httptest.NewRequest("POST", "/v1/reservations", nil)
	x.tx.ID, x.tx.Start = strings.Repeat("a", 32), time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	x.tx.Host, x.tx.Path, x.tx.Source = "localhost", "/v1/reservations", netip.MustParseAddr("2001:db8::7")
	x.tx.Route = &pipeline.Route{Name: "create-reservation", Place: "routes/reservations.yaml:7"}
	x.tx.Snapshot = &pipeline.Snapshot{Version: "v1"}
	x.tx.Principal = &token.Principal{Subject: "g-7", Issuer: "https://issuer", Client: "web", TokenID: "t-1", Scopes: []string{"a", "b"}}
	x.out.trace = strings.Repeat("b", 32)
	x.tx.WAF = pipeline.Inspection{Profile: "api", Ran: true, Score: 5, Threshold: 5, Stopped: true, Hits: []pipeline.Hit{{
		Rule: 942100, Message: "SQL Injection", Paranoia: 1, Severity: "critical", Place: "@owasp_crs/sqli.conf:45", Denies: true, More: 2,
		At: []pipeline.HitAt{{Target: "ARGS:json.note", Shape: "9' aa 9=9--", Bytes: 11}, {Target: "REQUEST_COOKIES:sid", Shape: "[redacted]", Bytes: -1}},
	}}}
	return x
}

func alerts(x *exchange) []string {
	w := &written{}
	(&Handler{alerts: w}).alert(x)
	return w.lines
}

func TestASecurityEventTellsWhatRulesFound(t *testing.T) {
	t.Parallel()
	lines := alerts(suspect())
	if len(lines) != 1 || strings.Count(lines[0], "\n") != 1 || !strings.HasSuffix(lines[0], "\n") {
		t.Fatalf("%q", lines)
	}
	var got, want map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{
		"@timestamp": "2026-11-26T09:00:00.000000Z", "event.kind": "alert", "event.category": ["intrusion_detection", "web"], "event.type": ["denied"],
		"event.action": "waf", "event.risk_score": 5, "http.request.id": "`+strings.Repeat("a", 32)+`", "http.request.method": "POST",
		"url.domain": "localhost", "url.path": "/v1/reservations", "client.ip": "2001:db8::7", "trace.id": "`+strings.Repeat("b", 32)+`", "rule.id": ["942100"],
		"user.id": "g-7", "token": {"issuer": "https://issuer", "client": "web", "id": "t-1", "scope": "a b"},
		"portcullis": {"profile": "api", "mode": "enforce", "verdict": "denied", "score": 5, "threshold": 5, "route": "create-reservation",
			"place": "routes/reservations.yaml:7", "policy": "v1",
			"hits": [{"id": 942100, "message": "SQL Injection", "paranoia": 1, "severity": "critical", "place": "@owasp_crs/sqli.conf:45", "counts": true,
				"at": [{"target": "ARGS:json.note", "value": "9' aa 9=9--", "bytes": 11}, {"target": "REQUEST_COOKIES:sid", "value": "[redacted]"}], "more": 2}]}
	}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEachProfileThatFoundSomethingWritesOneSecurityEvent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stopped, shadow bool
		verdict, kind   string
	}{
		"one in force that refuses":                 {true, false, `"verdict":"denied"`, `["denied"]`},
		"one in force below its threshold":          {false, false, `"verdict":"passed"`, `["allowed"]`},
		"one in shadow that would refuse":           {true, true, `"verdict":"shadow"`, `["allowed"]`},
		"one in shadow that would let it pass, too": {false, true, `"verdict":"recorded"`, `["allowed"]`},
	} {
		x := suspect()
		x.tx.WAF.Stopped = c.stopped
		if c.shadow {
			// Beside one in force that found nothing, which writes nothing.
			x.tx.WAF, x.tx.ShadowWAF = pipeline.Inspection{Profile: "other", Ran: true}, []pipeline.Inspection{x.tx.WAF}
		}
		lines := alerts(x)
		if len(lines) != 1 || !strings.Contains(lines[0], c.verdict) || !strings.Contains(lines[0], `"event.type":`+c.kind) {
			t.Errorf("%s: %q", name, lines)
		}
	}
	x := suspect()
	x.tx.ShadowWAF = []pipeline.Inspection{x.tx.WAF, x.tx.WAF}
	if n := len(alerts(x)); n != 3 {
		t.Errorf("three profiles wrote %d security events", n)
	}
	x = suspect()
	x.tx.WAF.Answer = pipeline.AnswerInspection{Ran: true, Score: 4, Threshold: 4, Stopped: true, Hits: []pipeline.Hit{{Rule: 951120, At: []pipeline.HitAt{{Target: "RESPONSE_BODY"}}}}}
	if lines := alerts(x); len(lines) != 2 || !strings.Contains(lines[1], `"rule.id":["951120"]`) || !strings.Contains(lines[1], `"score":4,"threshold":4`) {
		t.Errorf("of a leak in an answer there is %q", lines)
	}
}

func TestNoClientStartsALineOfItsOwnInASecurityEvent(t *testing.T) {
	t.Parallel()
	x := suspect()
	x.tx.Path = "/a\n{\"event.kind\":\"alert\"}\u009b31m"
	x.tx.WAF.Hits[0].At[0].Target = "ARGS:\r\nx\x1b[2J\xff"
	for _, line := range alerts(x) {
		if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\r\x1b\u009b") || !json.Valid([]byte(line)) {
			t.Errorf("%q", line)
		}
	}
}

func TestARequestWithoutHitsWritesAndAllocatesNothing(t *testing.T) {
	x := suspect()
	x.tx.WAF = pipeline.Inspection{Profile: "api", Ran: true, Threshold: 5}
	x.tx.ShadowWAF = []pipeline.Inspection{x.tx.WAF}
	w := &written{}
	h := &Handler{alerts: w}
	if n := testing.AllocsPerRun(100, func() { h.alert(x) }); n != 0 || len(w.lines) != 0 {
		t.Errorf("%v allocations, %d lines", n, len(w.lines))
	}
}
