package e2e

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// crsHosts are the host names that the cases ask for, as far as they are names.
var crsHosts = []string{
	"localhost", "127.0.0.1", "1.2.3.4", "::1", "example.com", "app.example.com", "api.example.com", "deadbeef.de", "nextjs.example", "nodeapp.io",
	"aspapp.com", "cakeapp.com", "cfapp.com", "ciapp.com", "coldapp.com", "flaskapp.com", "genericapp.com", "javaapp.com", "koaapp.com",
	"meteorapp.com", "myapp.com", "nextjs-app.com", "phpapp.com", "playapp.com", "railsapp.com", "rubyapp.com", "sailsapp.com", "shinyapp.com",
	"weblogicapp.com", "webapp.com", "zendapp.com",
}

// crsSetting is how strict a gateway is with the cases.
type crsSetting struct {
	paranoia, threshold int
	outbound            int // of answers, if not as threshold
	proof               string
}

func (c crsSetting) String() string {
	return fmt.Sprintf("paranoia %d, threshold %d, proof %s", c.paranoia, c.threshold, c.proof)
}

// crsPolicy lets through whatever the rules do.
const crsPolicy = `version: 1
hosts: HOSTS
trusted_proxies: []
defaults: {timeout: 1m, body: 64KiB}
waf:
  - {name: crs, paranoia: {blocking: LEVEL, detection: LEVEL}, threshold: {inbound: THRESHOLD, outbound: OUTBOUND}, inspect: {formats: [json, form, multipart, xml]COST}, responses: {types: ["text/html", "text/plain", "text/xml", "application/json"], body: 512KiB}, proof: PROOF}
upstreams:
  - {name: backend, endpoints: ["${env:BACKEND}"], credential: {none: the suite}}
upstream: backend
routes:
  - {name: root, match: "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS /", OPEN}
  - {name: all, match: "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS /*", OPEN}
`

// crsGate is a gateway that is asked the cases, one after the other.
type crsGate struct {
	*system
	crsSetting
	seen, alerts *eventReader
	config       *tls.Config
	backend      *reflection
}

// buildQuick builds a gateway without the race detector, with which the rules take
// ten times as long, and gives its name. They run with it everywhere else.
func buildQuick(t *testing.T) string {
	t.Helper()
	const name = "gateway-quick"
	if out, err := exec.Command("go", "build", "-tags", tag, "-o", filepath.Join(bin, name), "portcullis/gateway").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return name
}

func newCRSGate(t *testing.T, program string, setting crsSetting) *crsGate {
	t.Helper()
	hosts, err := json.Marshal(crsHosts)
	if err != nil {
		t.Fatal(err)
	}
	cost := ", cost: 1s" // a refusal for the cost would hide what the rules say
	if setting.proof == "off" {
		cost = "" // it is the bound without the proof
	}
	policy := strings.NewReplacer("COST", cost, "OUTBOUND", strconv.Itoa(cmp.Or(setting.outbound, setting.threshold)), "HOSTS", string(hosts), "LEVEL", strconv.Itoa(setting.paranoia), "THRESHOLD", strconv.Itoa(setting.threshold), "PROOF", setting.proof,
		"OPEN", "authenticate: {none: the suite}, limits: {none: the suite}, waf: crs, allow: [{anyone: true, reason: the suite}]").Replace(crsPolicy)
	g := &crsGate{system: lone(t, map[string]string{"gateway.yaml": policy}), crsSetting: setting}
	g.backend = &reflection{}
	server := httptest.NewServer(g.backend)
	t.Cleanup(server.Close)
	g.env = append(g.env, "BACKEND="+server.URL)
	g.gatewayArgs[0] = program
	// Nothing here is about time, and the machine may be busy.
	g.gatewayArgs = append(g.gatewayArgs, "--handshake-timeout", "1m", "--header-timeout", "1m")
	g.startGateway()
	out := filepath.Join(g.dir, "gateway.out")
	g.seen = &eventReader{path: out, seen: map[string]map[string]any{}}
	g.alerts = &eventReader{path: out, seen: map[string]map[string]any{}, alerts: true}
	// Handshakes are most of what a case costs, so sessions are resumed.
	g.config = &tls.Config{RootCAs: g.pool, ServerName: noName, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	return g
}

// reflection answers as the backend that the cases are written for: with nothing,
// and from POST /reflect with what it is told to.
type reflection struct{ last atomic.Pointer[http.Header] }

func (f *reflection) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := r.Header.Clone()
	f.last.Store(&header)
	if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/reflect") {
		return
	}
	var told struct {
		Status  int
		Headers map[string]string
		Body    string
		Encoded []byte `json:"encodedBody"`
	}
	if err := json.NewDecoder(r.Body).Decode(&told); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for name, value := range told.Headers {
		w.Header().Set(name, value)
	}
	if told.Status != 0 {
		w.WriteHeader(told.Status)
	}
	if told.Body == "" {
		told.Body = string(told.Encoded)
	}
	_, _ = io.WriteString(w, told.Body) // who left is not told
}

// crsOutcome is what came of a request, as far as it may not depend on the proof.
type crsOutcome struct {
	status int
	// detail is what the client of a refusal is told.
	detail string
	// The rest is what the gateway's own record says; empty when it has none, for
	// what it could not read as a request.
	decision, stage, rule, code string
	inspected                   bool
	score                       int
	rules                       []int
	// targets are what the rules speak of, each "942100 ARGS:q".
	targets []string
	// backend is the header that the backend saw; nil if it was not asked.
	backend http.Header
}

func (o crsOutcome) String() string {
	return fmt.Sprintf("%d %s by %q %q %s, inspected %v, score %d, rules %v: %s", o.status, o.decision, o.stage, o.rule, o.code, o.inspected, o.score, o.rules, o.detail)
}

// ask sends a request, and reads what the gateway answers and what it records.
func (g *crsGate) ask(t *testing.T, s crsStage) (o crsOutcome, err error) {
	t.Helper()
	g.backend.last.Store(nil)
	conn, err := tls.Dial("tcp", host(g.gatewayURL), g.config)
	if err != nil {
		return o, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return o, err
	}
	// What is refused by its head is answered, and hung up on, while it is sent.
	go func() { _, _ = io.WriteString(conn, s.request) }()
	res, body, err := answered(bufio.NewReader(conn), s.method)
	if err != nil {
		return o, err
	}
	o.status = res.StatusCode
	if header := g.backend.last.Load(); header != nil {
		o.backend = *header
	}
	if o.status >= 400 {
		o.detail = told(res.Header.Get("Content-Type"), string(body))
	}
	id := res.Header.Get("X-Request-Id")
	if id == "" {
		return o, nil
	}
	if event := g.seen.of(t, id); o.read(event) {
		o.readAlert(g.alerts.of(t, id))
	}
	return o, nil
}

// read takes what an event tells, and reports whether rules matched: then the WAF
// has written an event of its own, which tells all of them.
func (o *crsOutcome) read(event map[string]any) bool {
	inner := object(event["portcullis"])
	o.decision, o.stage, o.rule, o.code = str(inner["decision"]), str(inner["stage"]), str(inner["rule"]), str(inner["code"])
	if by, ok := strings.CutPrefix(o.rule, "waf:crs:"); ok { // what refused
		if id, err := strconv.Atoi(by); err == nil {
			o.rules = append(o.rules, id)
		}
	}
	found, ok := inner["waf"].(map[string]any)
	o.inspected = ok
	o.score = number(found["score"])
	leaks, _ := object(found["answer"])["rules"].([]any)
	for _, id := range leaks {
		o.rules = append(o.rules, number(id))
	}
	rules, _ := found["rules"].([]any)
	return len(rules) > 0
}

// readAlert takes what an event of the WAF tells.
func (o *crsOutcome) readAlert(event map[string]any) {
	hits, _ := object(event["portcullis"])["hits"].([]any)
	for _, h := range hits {
		hit := object(h)
		id := number(hit["id"])
		o.rules = append(o.rules, id)
		places, _ := hit["at"].([]any)
		for _, at := range places {
			o.targets = append(o.targets, fmt.Sprint(id, " ", str(object(at)["target"])))
		}
	}
	slices.Sort(o.rules)
	o.rules = slices.Compact(o.rules)
}

// object is a JSON object; of anything else an empty one.
func object(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

// number is a JSON number; absent is 0.
func number(v any) int {
	n, _ := v.(float64)
	return int(n)
}

// told is what a refusal says: to most cases as a page, which is what they accept.
func told(media, body string) string {
	var problem struct{ Detail string }
	if json.Unmarshal([]byte(body), &problem) == nil {
		return problem.Detail
	}
	if _, first, found := strings.Cut(body, "<p>"); found && strings.HasPrefix(media, "text/html") {
		first, _, _ = strings.Cut(first, "</p>")
		if strings.HasPrefix(first, "<a ") {
			return "" // its title says all
		}
		return html.UnescapeString(first)
	}
	return strings.TrimSpace(body)
}
