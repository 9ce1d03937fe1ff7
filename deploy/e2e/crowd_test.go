package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// noName is an address, and so no name that a client says at the handshake: one
// connection asks for many hosts here, and a request for another host than that
// of its connection is refused.
const noName = "127.0.0.1"

// crowd is a gateway before services of five makes, each on a host name of its
// own: go.test, node.test and so on. All hosts have the same routes.
type crowd struct {
	*system
	echoes []echo
	events *eventReader
}

// crowdRoutes are the routes of each host. /admin is for whoever has a token;
// all else is for everybody, as widely as a policy can say: whatever spelling
// leads past /admin finds a route.
const crowdRoutes = `version: 1
upstream: NAME
routes:
  - {name: NAME-admin, hosts: [NAME.test], match: "ALL /admin", allow: [{scopes: [admin]}], AUTHENTICATED}
  - {name: NAME-below, hosts: [NAME.test], match: "ALL /admin/*", allow: [{scopes: [admin]}], AUTHENTICATED}
  - {name: NAME-root, hosts: [NAME.test], match: "ALL /", OPEN}
  - {name: NAME-all, hosts: [NAME.test], match: "ALL /*", OPEN, log: [a, b]}
  - {name: NAME-api, hosts: [NAME.test], match: "ALL /api/*", OPEN, request: {strip_prefix: /api}}
  - {name: NAME-static, hosts: [NAME.test], match: "ALL /static/*", OPEN, request: {strip_prefix: /static}}
  - {name: NAME-project, hosts: [NAME.test], match: "ALL /projects/{project}", OPEN, encoded_slash: true}
  - {name: NAME-ours, hosts: [NAME.test], match: "ALL /ours", OPEN, request: {set: {X-Tenant: acme}}}
  - name: NAME-role
    hosts: [NAME.test]
    match: GET /role
    allow: [{when: "request.query['role'] == 'staff'"}]
    WITHOUT
  - name: NAME-tenant
    hosts: [NAME.test]
    match: GET /tenant
    allow: [{anyone: true, reason: the suite}]
    deny: [{when: "'x-tenant' in request.headers && request.headers['x-tenant'] == 'evil'"}]
    WITHOUT
  - name: NAME-mail
    hosts: [NAME.test]
    match: GET /mail
    allow: [{claims: {domain: hotel.test}}]
    AUTHENTICATED
  - {name: NAME-limited, hosts: [NAME.test], match: GET /limited, authenticate: {none: the suite}, waf: {none: the suite}, limits: [three], allow: [{anyone: true, reason: the suite}]}
`

// newCrowd starts all of them. more are host names that are served besides.
func newCrowd(t *testing.T, more ...string) *crowd {
	t.Helper()
	c := &crowd{echoes: echoes(t)}
	files := map[string]string{}
	hosts := append([]string{"localhost"}, more...)
	upstreams := "version: 1\nupstreams:\n"
	for _, e := range c.echoes {
		hosts = append(hosts, e.name+".test")
		upstreams += fmt.Sprintf("  - {name: %s, endpoints: [%q], credential: {none: the suite}}\n", e.name, e.url())
		files[e.name+".yaml"] = strings.NewReplacer(
			"NAME", e.name, "ALL", "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS",
			"AUTHENTICATED", "authenticate: [outside], limits: {none: the suite}, waf: {none: the suite}",
			"WITHOUT", "authenticate: {none: the suite}\n    limits: {none: the suite}\n    waf: {none: the suite}",
			"OPEN", openly).Replace(crowdRoutes)
		// A block of lines takes no commas.
		files[e.name+".yaml"] = strings.ReplaceAll(files[e.name+".yaml"], "\n    authenticate: [outside], limits: {none: the suite}, waf: {none: the suite}",
			"\n    authenticate: [outside]\n    limits: {none: the suite}\n    waf: {none: the suite}")
	}
	names, err := json.Marshal(hosts)
	if err != nil {
		t.Fatal(err)
	}
	files["upstreams.yaml"] = upstreams
	files["gateway.yaml"] = "version: 1\nhosts: " + string(names) + "\ntrusted_proxies: []\ndefaults: {timeout: 30s}\n" +
		"issuers:\n  - {name: outside, url: \"${env:ISSUER}\", audience: gateway, ca: \"${env:ISSUER_CA}\", claims: {domain: text}}\n" +
		"limits:\n  - {name: three, by: source, rate: 3/1h, burst: 3}\n"
	c.system = lone(t, files)
	c.events = &eventReader{path: filepath.Join(c.dir, "gateway.out"), seen: map[string]map[string]any{}}
	c.startGateway()
	return c
}

// eventReader reads the gateway's events as they come, each once: those of
// requests, or those of the WAF.
type eventReader struct {
	path   string
	offset int64
	seen   map[string]map[string]any
	alerts bool
}

// of waits for the event of a request.
func (r *eventReader) of(t *testing.T, id string) map[string]any {
	t.Helper()
	until(t, "the event of request "+id, time.Minute, func() bool {
		if r.seen[id] == nil {
			r.read(t)
		}
		return r.seen[id] != nil
	})
	event := r.seen[id]
	delete(r.seen, id)
	return event
}

func (r *eventReader) read(t *testing.T) {
	t.Helper()
	file, err := os.Open(r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Seek(r.offset, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	r.offset += int64(len(data))
	for line := range bytes.Lines(data) {
		var event map[string]any
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatalf("an event is not JSON: %v: %s", err, line)
		}
		// Of several alerts the first is that of the request.
		if id := str(event["http.request.id"]); (event["event.kind"] == "alert") == r.alerts && r.seen[id] == nil {
			r.seen[id] = event
		}
	}
}

// attack is a request as raw bytes, and what may come of it.
type attack struct {
	name string
	// send is the request; HOST in it is the host of the service that it is for.
	// LF stands for CR LF, unless exact.
	send  string
	exact bool
	// want is the status of the one answer, or refused; 200 means that every service
	// and the gateway's own decision agree on method, path, query and body.
	want int
	// sees is what services see, as "METHOD target"; empty for what was sent.
	sees string
	// has are fields that they see, each "name: value"; hasNot are words that stand
	// in no field, no name and no value.
	has, hasNot []string
	body        string
}

// refused is for what is no request: 400, or 501 or 505 where that says more (RFC
// 9112 section 6.1, RFC 9110 section 15.6.6).
const refused = -1

// as reports whether a status is what was wanted.
func (a attack) as(status int) bool {
	return status == a.want || a.want == refused && (status == 400 || status == 501 || status == 505)
}

// tried runs attacks, each against every service. A refusal, which no service
// hears of, is asked for once.
func (c *crowd) tried(t *testing.T, attacks []attack) {
	t.Helper()
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			for _, e := range c.echoes {
				if c.try1(t, e, a); a.want != 200 {
					return
				}
			}
		})
	}
}

func (c *crowd) try1(t *testing.T, e echo, a attack) {
	t.Helper()
	text := strings.ReplaceAll(a.send, "HOST", e.name+".test")
	if !a.exact {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	res, body, err := c.exchange(text)
	if err != nil {
		t.Errorf("%s: %v", e.name, err)
		return
	}
	if !a.as(res.StatusCode) {
		t.Errorf("%s: %d, want %d: %.300s", e.name, res.StatusCode, a.want, body)
		return
	}
	id := res.Header.Get("X-Request-Id")
	if id == "" {
		if a.want == 200 {
			t.Errorf("%s: an answer without a request id", e.name)
		}
		return // net/http refused it before we were asked
	}
	event := c.events.of(t, id)
	// What turned out to be no request while its body was sent on had been allowed.
	inner, ok := event["portcullis"].(map[string]any)
	if allowed := ok && inner["decision"] == "allow"; !ok || allowed != (a.want == 200) && !(allowed && a.want == refused && inner["code"] == "bad_request") {
		t.Errorf("%s: the event of a %d is %v", e.name, res.StatusCode, event)
	}
	if a.want != 200 || strings.HasPrefix(a.send, "HEAD ") {
		return
	}
	var saw echoed
	if err := json.Unmarshal(body, &saw); err != nil {
		t.Errorf("%s: %v: %s", e.name, err, body)
		return
	}
	if complaint := saw.contradicts(e.name, event); complaint != "" {
		t.Errorf("%s: %s\nthe service sees %+v\nthe event is %v", e.name, complaint, saw, event)
	}
	if want := a.sees; want != "" && want != saw.Method+" "+saw.Target {
		t.Errorf("%s: it sees %s %s, want %s", e.name, saw.Method, saw.Target, want)
	}
	if saw.Body != a.body {
		t.Errorf("%s: it sees the body %q, want %q", e.name, saw.Body, a.body)
	}
	if got := saw.Header["x-request-id"]; len(got) != 1 || got[0] != id {
		t.Errorf("%s: it sees the request id %q, want %s", e.name, got, id)
	}
	for _, field := range a.has {
		name, value, _ := strings.Cut(field, ": ")
		if got := strings.Join(saw.Header[name], ", "); got != value {
			t.Errorf("%s: it sees %s: %q, want %q", e.name, name, got, value)
		}
	}
	all := fmt.Sprint(saw.Header)
	for _, word := range append([]string{"spoofed"}, a.hasNot...) {
		if strings.Contains(all, word) {
			t.Errorf("%s: it sees %q in %s", e.name, word, all)
		}
	}
}

// exchange sends bytes over a connection of their own and reads the one answer. A
// connection that stays open is asked once more: what answers then must have read
// that request and nothing that was hidden in the one before.
func (c *crowd) exchange(text string) (*http.Response, []byte, error) {
	conn, err := tls.Dial("tcp", host(c.gatewayURL), &tls.Config{ServerName: noName, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, nil, err
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return nil, nil, err
	}
	r := bufio.NewReader(conn)
	method, _, _ := strings.Cut(text, " ")
	res, body, err := answered(r, method)
	if err != nil || res.StatusCode == http.StatusSwitchingProtocols {
		return res, body, err
	}
	if !res.Close {
		if _, err := io.WriteString(conn, "GET /after/../this HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
			return nil, nil, err
		}
		after, said, err := answered(r, http.MethodGet)
		if err != nil || after.StatusCode != http.StatusBadRequest || !strings.Contains(string(said), "dot segment") {
			return nil, nil, fmt.Errorf("after a %d the next request on the connection got %v: %.200q", res.StatusCode, err, said)
		}
	}
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil && !reset(err) {
		return nil, nil, fmt.Errorf("one answer more, to what was smuggled: %.200q, %v", rest, err)
	}
	return res, body, nil
}

func answered(r *bufio.Reader, method string) (*http.Response, []byte, error) {
	res, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return nil, nil, fmt.Errorf("no answer: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

// reset reports whether a connection ended by force, with bytes of ours unread.
func reset(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// contradicts says how a service's reading differs from what was decided on.
func (s echoed) contradicts(by string, event map[string]any) string {
	path := str(event["url.path"])
	if inner, ok := event["portcullis"].(map[string]any); ok && inner["upstream_path"] != nil {
		path = str(inner["upstream_path"])
	}
	target, query, _ := strings.Cut(s.Target, "?")
	if target != path {
		return fmt.Sprintf("it is asked for %q", target)
	}
	kept := path
	if by == "apache" { // an escaped slash stays one
		kept = strings.ReplaceAll(kept, "%2F", "%252F")
	}
	decoded, err := url.PathUnescape(kept)
	if err != nil || s.Path != decoded {
		return fmt.Sprintf("its path is %q, not %q", s.Path, decoded)
	}
	if s.Method != str(event["http.request.method"]) {
		return "its method is another"
	}
	if s.Query != query {
		return fmt.Sprintf("its query is %q, of %q", s.Query, query)
	}
	if length, ok := event["http.request.body.bytes"].(float64); ok && int(length) != len([]rune(s.Body)) {
		return "its body is " + strconv.Itoa(len(s.Body)) + " bytes"
	}
	return s.params(query)
}

// params says how the parameters that a service reads differ from ours.
func (s echoed) params(query string) string {
	if s.Params == nil {
		return "" // it hands its query on as it stands
	}
	var want [][2]string
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		decodedName, err := url.QueryUnescape(name)
		decodedValue, err2 := url.QueryUnescape(value)
		if err != nil || err2 != nil {
			return "a query that cannot be read came through"
		}
		want = append(want, [2]string{decodedName, decodedValue})
	}
	if !slices.Equal(want, s.Params) {
		return fmt.Sprintf("its parameters are %q, not %q", s.Params, want)
	}
	return ""
}

// inOrder sends many requests at once on one connection, POST /n/0 and so on.
func (c *crowd) inOrder(t *testing.T, text string, many int) {
	t.Helper()
	conn, err := tls.Dial("tcp", host(c.gatewayURL), &tls.Config{ServerName: noName, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for i := range many {
		var saw echoed
		res, body, err := answered(r, http.MethodPost)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("answer %d: %v, %v", i, res, err)
		}
		if err := json.Unmarshal(body, &saw); err != nil || saw.Target != fmt.Sprintf("/n/%d", i) || saw.Body != fmt.Sprintf("%02d", i) {
			t.Errorf("answer %d is to %s, %q", i, saw.Target, saw.Body)
		}
	}
}
