package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// inForce is a policy without anything in shadow; beside puts a limit, a profile
// and a validation in shadow on every route of it.
const inForce = `version: 1
hosts: [api.hotel.test]
upstreams:
  - {name: backend, endpoints: ["${env:BACKEND}"], credential: {none: it is a stand-in}}
limits:
  - {name: loose, by: source, rate: 40/1m, burst: 2}
  #limits
waf:
  - {name: api, paranoia: {blocking: 1, detection: 1}, inspect: {args: 255, depth: 20, body: 64KiB}}
  #profiles
defaults: {timeout: 3s}
upstream: backend
routes:
  - {name: open, match: GET /open, authenticate: {none: a stand-in}, allow: [{anyone: true, reason: a stand-in}], limits: [loose], waf: {none: in force}}
  - {name: told, match: POST /told, authenticate: {none: a stand-in}, allow: [{anyone: true, reason: a stand-in}], limits: [loose], waf: {none: in force}, body: 128KiB}
  - {name: inspected, match: POST /inspected, authenticate: {none: a stand-in}, allow: [{anyone: true, reason: a stand-in}], limits: [loose], waf: api}
`

func beside(text string) string {
	return strings.NewReplacer(
		"#limits", "- {name: tight, by: source, rate: 2/1m, burst: 1, mode: shadow}",
		"#profiles", "- {name: strict, paranoia: {blocking: 2, detection: 2}, threshold: {inbound: 3}, inspect: {args: 20, depth: 5, body: 4KiB}, mode: shadow}",
		"limits: [loose]", "limits: [loose, tight], validate: {schema: note.json, mode: shadow}",
		"waf: {none: in force}", "waf: strict",
		"waf: api", "waf: [api, strict]",
	).Replace(text)
}

const noteSchema = `{"type": "object", "required": ["note"], "properties": {"note": {"type": "string"}}, "additionalProperties": false}`

// gateway is the public handler over one policy, between a real client and a
// real service.
type gateway struct {
	*httptest.Server

	mu      sync.Mutex
	now     time.Time
	arrived []string // at the service, since last asked
	shadows int      // recorded, in all
}

func newGateway(t *testing.T, text string) *gateway {
	t.Helper()
	g := &gateway{now: time.Now()}
	backend := httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(backend.Close)
	doc, err := policy.Check(fstest.MapFS{"policy.yaml": {Data: []byte(text)}, "note.json": {Data: []byte(noteSchema)}}, func(string) (string, bool) { return backend.URL, true })
	if err != nil {
		t.Fatal(err)
	}
	discard := slog.New(slog.DiscardHandler)
	compiler, meters, err := newCompiler(identity{}, prometheus.NewRegistry(), discard)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := compiler.Compile(doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { compiler.Retire(snapshot, nil) })
	var current pipeline.Current
	current.Store(snapshot)
	handler, err := edge.New(edge.Config{
		Current: &current, Events: io.Discard, Unmatched: meters.Route("none"), Log: discard, Now: g.clock,
		Observe: func(tx *pipeline.Transaction, _ pipeline.Decision, _ int) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.shadows += len(tx.Shadows)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	g.Server = httptest.NewServer(handler)
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

// later moves the clock on.
func (g *gateway) later(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = g.now.Add(d)
}

// recorded is how often something in shadow would have decided.
func (g *gateway) recorded() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shadows
}

// serve is the service: it keeps what it was sent and answers by it.
func (g *gateway) serve(w http.ResponseWriter, r *http.Request) {
	sent, err := io.ReadAll(r.Body)
	var fields []string
	for name, values := range r.Header {
		if name == "X-Request-Id" || name == "Traceparent" {
			continue // new for each request
		}
		fields = append(fields, name+": "+strings.Join(values, "|"))
	}
	slices.Sort(fields)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrived = append(g.arrived, fmt.Sprintf("%s %s\nlength %d %v\n%s\n%v %x\n", r.Method, r.RequestURI, r.ContentLength, r.TransferEncoding, strings.Join(fields, "\n"), err, sent))
	w.Header().Set("X-Took", strconv.Itoa(len(sent)))
	w.WriteHeader(200 + len(sent)%3)
	fmt.Fprintf(w, "%d bytes", len(sent))
}

// exchange sends raw bytes and gives the answer's bytes, without what is new in
// each, and what the service was sent.
func (g *gateway) exchange(t *rapid.T, request []byte) (answer, arrived string) {
	conn, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	sent := make(chan struct{})
	go func() { defer close(sent); _, _ = conn.Write(request) }() // an early answer may close it
	var all bytes.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &all))
	for {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%v in the answer %q to %.300q", err, all.Bytes(), request)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if res.StatusCode != http.StatusContinue {
			break
		}
	}
	conn.Close()
	<-sent
	var lines []string
	for line := range strings.SplitSeq(all.String(), "\n") {
		if name, _, _ := strings.Cut(line, ":"); name == "Date" || name == "X-Request-Id" {
			continue
		}
		if i := strings.Index(line, `"request_id":"`); i >= 0 {
			line = line[:i]
		}
		lines = append(lines, line)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	arrived, g.arrived = strings.Join(g.arrived, "\n"), nil
	return strings.Join(lines, "\n"), arrived
}

// anyRequest is a request as it stands on the wire.
func anyRequest(t *rapid.T) []byte {
	of := func(what string, choices ...string) string { return rapid.SampledFrom(choices).Draw(t, what) }
	target := of("target", "/open", "/told", "/inspected", "/nowhere") + of("query", "", "?q=late", "?q=1%27%20OR%20%271%27=%271", "?q=%27x%27+%3D+1&r="+strings.Repeat("y", 500))
	if strings.HasPrefix(target, "/open") {
		return []byte("GET " + target + " HTTP/1.1\r\nHost: api.hotel.test\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n")
	}
	text := of("body", "", "{}", `{"note":"late arrival"}`, `{"note":"<script>alert(1)</script>"}`, `{"note":"a","note":"b"}`, `{"note":`, "note=late",
		`{"note":"`+strings.Repeat("quiet ", 1000)+`"}`, strings.Repeat("x", 9000), strings.Repeat("x", 100_000))
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: api.hotel.test\r\nUser-Agent: test\r\nAccept: */*\r\n", target)
	if media := of("media", "application/json", "application/x-www-form-urlencoded", "image/jpeg", ""); media != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", media)
	}
	if rapid.Bool().Draw(t, "asks first") {
		b.WriteString("Expect: 100-continue\r\n")
	}
	if !rapid.Bool().Draw(t, "chunked") {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(text), text)
		return b.Bytes()
	}
	b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for chunk := range slices.Chunk([]byte(text), 1+rapid.IntRange(0, 40_000).Draw(t, "chunk")) {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

// What is in shadow may cost time. It may change nothing else, neither for who
// asks nor for who answers.
func TestWhatIsInShadowChangesNoByte(t *testing.T) {
	t.Parallel()
	without, with := newGateway(t, inForce), newGateway(t, beside(inForce))
	later := func(d time.Duration) { without.later(d); with.later(d) }
	rapid.Check(t, func(t *rapid.T) {
		later(time.Hour) // every limit is at rest
		for range rapid.IntRange(1, 4).Draw(t, "requests") {
			later(time.Duration(rapid.IntRange(0, 4000).Draw(t, "gap")) * time.Millisecond)
			request := anyRequest(t)
			wantAnswer, wantArrived := without.exchange(t, request)
			answer, arrived := with.exchange(t, request)
			if diff := cmp.Diff(wantAnswer, answer); diff != "" {
				t.Fatalf("the answer to %.300q differs: %s", request, diff)
			}
			if diff := cmp.Diff(wantArrived, arrived); diff != "" {
				t.Fatalf("the service was sent something else for %.300q: %s", request, diff)
			}
		}
	})
	if n, m := without.recorded(), with.recorded(); n != 0 || m < 20 {
		t.Errorf("%d and %d would have been denied: this test compares nothing", n, m)
	}
}
