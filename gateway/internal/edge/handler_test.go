package edge_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/edge"
	"portcullis/gateway/internal/pipeline"
	"portcullis/services/problem"
)

// lines collects events.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
	got chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(p)
	l.got <- struct{}{}
	return len(p), nil
}

// last waits for one event and gives it decoded.
func (l *lines) last(t *testing.T) map[string]any {
	t.Helper()
	<-l.got
	l.mu.Lock()
	defer l.mu.Unlock()
	text := bytes.TrimRight(l.all.Bytes(), "\n")
	text = text[bytes.LastIndexByte(text, '\n')+1:]
	var event map[string]any
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatalf("event is not JSON: %v: %s", err, text)
	}
	return event
}

type stageFunc struct {
	name   string
	decide func(tx *pipeline.Transaction) error
}

func (s stageFunc) Name() string                          { return s.name }
func (s stageFunc) Decide(tx *pipeline.Transaction) error { return s.decide(tx) }

type forwardFunc func(w http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error)

func (f forwardFunc) Forward(w http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
	return f(w, tx)
}

type meter struct{}

func (meter) Observe(pipeline.Kind, int, time.Duration) {}

// echo answers with what a service would see.
func echo(w http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "path=%s query=%s source=%s id=%s\n", tx.Path, tx.Request.URL.RawQuery, tx.Source, tx.ID)
	for name, values := range tx.Request.Header {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(values, "|"))
	}
	if _, err := io.Copy(io.Discard, tx.Request.Body); err != nil {
		return pipeline.Result{}, problem.New(problem.BadRequest, "").Because(tx.ClientErr())
	}
	n, _ := io.WriteString(w, b.String())
	return pipeline.Result{Status: 200, Bytes: int64(n), Endpoint: "http://echo", Attempts: 1}, nil
}

func serve(t *testing.T, routes ...*pipeline.Route) (*httptest.Server, *lines) {
	t.Helper()
	s := &pipeline.Snapshot{
		Version: "v1", Hosts: map[string]bool{"127.0.0.1": true, "localhost": true},
		Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
	}
	for _, shared := range routes {
		route := *shared // subtests share the routes they are given
		r := &route
		s.Routes = append(s.Routes, r)
		if r.Body == 0 {
			r.Body = 1 << 10
		}
		if r.Forward == nil {
			r.Forward = forwardFunc(echo)
		}
		r.Meter = meter{}
	}
	s.Index()
	current := &pipeline.Current{}
	current.Store(s)
	events := &lines{got: make(chan struct{}, 100)}
	h, err := edge.New(edge.Config{Current: current, Events: events, Unmatched: meter{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.Config.DisableGeneralOptionsHandler = true // as the gateway has it
	server.Start()
	t.Cleanup(server.Close)
	return server, events
}

// dialed is a connection on which a request was sent, to read from.
func dialed(t *testing.T, server *httptest.Server, request string) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(conn)
}

// raw sends bytes as they are and gives status and body.
func raw(t *testing.T, server *httptest.Server, request string) (int, string) {
	t.Helper()
	res, err := http.ReadResponse(dialed(t, server, request), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

func TestHandlerAnswers(t *testing.T) {
	t.Parallel()
	hotels := &pipeline.Route{Name: "hotels", Methods: []string{"GET"}, Pattern: "/v1/hotels"}
	post := &pipeline.Route{Name: "post", Methods: []string{"POST"}, Pattern: "/v1/hotels", Body: 16}
	denied := &pipeline.Route{Name: "denied", Methods: []string{"GET"}, Pattern: "/denied", Stages: []pipeline.Stage{
		stageFunc{"authorize", func(tx *pipeline.Transaction) error { tx.Rule = "r1"; return problem.New(problem.Forbidden, "") }},
	}}
	fault := &pipeline.Route{Name: "fault", Methods: []string{"GET"}, Pattern: "/fault", Stages: []pipeline.Stage{
		stageFunc{"inspect", func(*pipeline.Transaction) error { return errors.New("engine broke: secret detail") }},
	}}
	panics := &pipeline.Route{Name: "panics", Methods: []string{"GET"}, Pattern: "/panics", Stages: []pipeline.Stage{
		stageFunc{"inspect", func(*pipeline.Transaction) error { panic("secret detail") }},
	}}
	broken := &pipeline.Route{Name: "broken", Methods: []string{"GET"}, Pattern: "/upstream-broken", Forward: forwardFunc(func(http.ResponseWriter, *pipeline.Transaction) (pipeline.Result, error) {
		return pipeline.Result{}, errors.New("dial 10.0.0.1: secret detail")
	})}
	cases := map[string]struct {
		request    string
		wantStatus int
		wantCode   string
		wantStage  string
	}{
		"a route is forwarded":                        {"GET /v1/hotels?city=a HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "", ""},
		"HEAD is served by the GET route":             {"HEAD /v1/hotels HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200, "", ""},
		"an unknown path is 404":                      {"GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "not_found", ""},
		"another method is 405":                       {"DELETE /v1/hotels HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "method_not_allowed", ""},
		"a method nobody knows is 405":                {"FROB /v1/hotels HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "method_not_allowed", ""},
		"another host is 421":                         {"GET /v1/hotels HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "wrong_host", ""},
		"a host in capitals with a port is the same":  {"GET /v1/hotels HTTP/1.1\r\nHost: LOCALHOST:8443\r\n\r\n", 200, "", ""},
		"a host with user info is 400 or 421":         {"GET /v1/hotels HTTP/1.1\r\nHost: localhost:x\r\n\r\n", 421, "wrong_host", ""},
		"absolute form is 400":                        {"GET http://localhost/v1/hotels HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "ambiguous_path", ""},
		"an ambiguous path is 400":                    {"GET /v1/x/..%2fhotels HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "ambiguous_path", ""},
		"a fragment is 400":                           {"GET /v1/hotels#x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "ambiguous_path", ""},
		"a semicolon in the query is 400":             {"GET /v1/hotels?a=1;b=2 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "ambiguous_path", ""},
		"an unknown minor version is 400":             {"GET /v1/hotels HTTP/1.2\r\nHost: localhost\r\n\r\n", 400, "bad_request", ""},
		"an upgrade to h2c is 400":                    {"GET /v1/hotels HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 400, "bad_request", ""},
		"a websocket the route does not serve is 400": {"GET /v1/hotels HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400, "bad_request", ""},
		"a hundred header fields pass":                {"GET /v1/hotels HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("A: b\r\n", 100) + "\r\n", 200, "", ""},
		"one more is 431, also of one name":           {"GET /v1/hotels HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("A: b\r\n", 101) + "\r\n", 431, "headers_too_large", ""},
		"a question about the whole server is 400":    {"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "ambiguous_path", ""},
		"a tunnel is 400":                             {"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "ambiguous_path", ""},
		"a tunnel with a path is 405":                 {"CONNECT /v1/hotels HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "method_not_allowed", ""},
		"two types of body are 400":                   {"POST /v1/hotels HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 400, "bad_request", ""},
		"an address with a zone is 421":               {"GET /v1/hotels HTTP/1.1\r\nHost: [::1%25lo]\r\n\r\n", 421, "wrong_host", ""},
		"no host in HTTP/1.0 is 421":                  {"GET /v1/hotels HTTP/1.0\r\n\r\n", 421, "wrong_host", ""},
		"a declared body over the bound is 413":       {"POST /v1/hotels HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\n\r\n12345678901234567", 413, "body_too_large", ""},
		"a body within the bound passes":              {"POST /v1/hotels HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 200, "", ""},
		"a denial is the stage's":                     {"GET /denied HTTP/1.1\r\nHost: localhost\r\n\r\n", 403, "forbidden", "authorize"},
		"a fault of a stage is 503":                   {"GET /fault HTTP/1.1\r\nHost: localhost\r\n\r\n", 503, "unavailable", "inspect"},
		"a panic of a stage is 500":                   {"GET /panics HTTP/1.1\r\nHost: localhost\r\n\r\n", 500, "internal", ""},
		"a forward that fails is 502":                 {"GET /upstream-broken HTTP/1.1\r\nHost: localhost\r\n\r\n", 502, "bad_gateway", "forward"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, events := serve(t, hotels, post, denied, fault, panics, broken)
			status, body := raw(t, server, c.request)
			if status != c.wantStatus {
				t.Errorf("status %d, want %d: %s", status, c.wantStatus, body)
			}
			if c.wantCode != "" && !strings.Contains(body, `"code":"`+c.wantCode+`"`) {
				t.Errorf("the answer does not hold code %q: %s", c.wantCode, body)
			}
			if strings.Contains(body, "secret detail") {
				t.Errorf("the answer tells a private cause: %s", body)
			}
			event := events.last(t)
			inner := event["portcullis"].(map[string]any)
			if got := event["http.response.status_code"]; got != float64(c.wantStatus) {
				t.Errorf("the event has status %v, want %d", got, c.wantStatus)
			}
			if code, _ := inner["code"].(string); code != c.wantCode {
				t.Errorf("the event has code %q, want %q", code, c.wantCode)
			}
			if stage, _ := inner["stage"].(string); stage != c.wantStage {
				t.Errorf("the event has stage %q, want %q", stage, c.wantStage)
			}
		})
	}
}

// A refusal that comes after the stages is one all the same, and what is not
// the caller's doing is none.
func TestARefusalOfTheForwardIsADenialInTheEvent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err      error
		decision string
	}{
		"the token cannot be exchanged any more":  {problem.New(problem.InvalidToken, ""), "deny"},
		"the caller may not have the upstream":    {problem.New(problem.Forbidden, ""), "deny"},
		"the token service is down":               {problem.New(problem.Unavailable, ""), "allow"},
		"the client's body broke":                 {problem.New(problem.BadRequest, ""), "allow"},
		"the upstream's answer cannot be relayed": {errors.New("no answer"), "allow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, events := serve(t, &pipeline.Route{Name: "r", Methods: []string{"GET"}, Pattern: "/", Forward: forwardFunc(func(_ http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
				tx.Bearer = "the caller's token"
				return pipeline.Result{}, c.err
			})})
			raw(t, server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			event := events.last(t)
			inner := event["portcullis"].(map[string]any)
			if inner["decision"] != c.decision || inner["stage"] != "forward" || event["event.outcome"] == "success" && c.decision == "deny" {
				t.Errorf("the event says %v", event)
			}
			if strings.Contains(fmt.Sprint(event), "the caller's token") {
				t.Errorf("the event holds the token: %v", event)
			}
		})
	}
}

func TestOwnedHeadersNeverPass(t *testing.T) {
	t.Parallel()
	server, _ := serve(t, &pipeline.Route{Name: "r", Methods: []string{"GET"}, Pattern: "/"})
	var b strings.Builder
	b.WriteString("GET / HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nX-Custom: kept\r\n")
	for _, name := range []string{
		"X-Forwarded-For", "x-forwarded-proto", "X-FORWARDED-HOST", "X-Forwarded-Prefix", "X-Forwarded-User", "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP",
		"X-Request-ID", "X_User", "X.User", "X-Accel~User", "X_Forwarded_For", "X-User-Id", "X-Auth-Request-User", "Remote-User", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override",
		"Portcullis-Subject", "portcullis-client", "Proxy-Authorization", "Proxy", "Via", "X-SSL-Client-CN", "Client-Cert", "X-Client-IP",
		"X-Goog-Authenticated-User-Email", "X-Appengine-User-Ip", "X-Amzn-Oidc-Identity", "X-MS-Client-Principal", "X-Azure-ClientIP", "X-Consumer-Username", "X-Credential-Identifier",
		"X-WEBAUTH-User", "X-JWT-Assertion", "Cf-Access-Authenticated-User-Email", "Fastly-Client-IP",
	} {
		b.WriteString(name + ": spoofed\r\n")
	}
	b.WriteString("\r\n")
	status, body := raw(t, server, b.String())
	if status != 200 || strings.Contains(body, "spoofed") {
		t.Errorf("status %d, the service sees: %s", status, body)
	}
	if !strings.Contains(body, "X-Custom: kept") {
		t.Errorf("an ordinary field was lost: %s", body)
	}
}

func TestStagesSeeNoFieldThatEndsAtTheGateway(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	look := stageFunc{"authorize", func(tx *pipeline.Transaction) error {
		seen <- tx.Request.Header.Clone()
		return nil
	}}
	server, _ := serve(t, &pipeline.Route{Name: "r", Methods: []string{"GET"}, Pattern: "/", Stages: []pipeline.Stage{look}, WebSocket: true})
	raw(t, server, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade, x-tenant ,Content-Type\r\nConnection: X-Role\r\n"+
		"Upgrade: websocket\r\nX-Tenant: acme\r\nX-Role: desk\r\nContent-Type: application/json\r\nX-Custom: kept\r\n\r\n")
	h := <-seen
	for _, name := range []string{"X-Tenant", "X-Role", "Content-Type"} {
		if h[name] != nil {
			t.Errorf("%s is seen, and no upstream gets it", name)
		}
	}
	if h.Get("X-Custom") != "kept" || h.Get("Upgrade") != "websocket" || len(h["Connection"]) != 2 {
		t.Errorf("another field was lost: %v", h)
	}
}

// Backends that merge trailers into the header would take them for fields.
func TestOwnedTrailersNeverPass(t *testing.T) {
	t.Parallel()
	announced := make(chan http.Header, 1)
	server, _ := serve(t, &pipeline.Route{Name: "r", Methods: []string{"POST"}, Pattern: "/", Forward: forwardFunc(func(w http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
		announced <- tx.Request.Trailer.Clone()
		return echo(w, tx)
	})})
	status, body := raw(t, server, "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X-User, Checksum, Remote-User\r\n\r\n1\r\na\r\n0\r\nX-User: admin\r\nChecksum: 1\r\nRemote-User: admin\r\n\r\n")
	got := <-announced
	if _, ok := got["Checksum"]; status != 200 || len(got) != 1 || !ok {
		t.Errorf("status %d, trailers %v: %s", status, got, body)
	}
}

func TestEveryAnswerNamesItsRequest(t *testing.T) {
	t.Parallel()
	server, events := serve(t, &pipeline.Route{Name: "r", Methods: []string{"GET"}, Pattern: "/"})
	for _, path := range []string{"/", "/nope", "/a/../b"} {
		res, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if id := res.Header.Get("X-Request-Id"); len(id) != 32 || events.last(t)["http.request.id"] != id {
			t.Errorf("%s is answered with request id %q, which is not the event's", path, id)
		}
	}
}

// Whatever a client sends, its event is one line of JSON of bounded length.
func TestNoRequestBreaksTheLog(t *testing.T) {
	t.Parallel()
	server, events := serve(t, &pipeline.Route{Name: "r", Methods: []string{"GET"}, Pattern: "/"})
	long := strings.Repeat("A", 8000)
	for name, request := range map[string]string{
		"a long method":                long + " / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a long path":                  "GET /" + long + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a long query name":            "GET /?" + long + "=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"many query names":             "GET /?" + strings.Repeat("a=1&", 2000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a long host":                  "GET / HTTP/1.1\r\nHost: " + long + "\r\n\r\n",
		"long fields":                  "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + long + "\r\nContent-Type: " + long + "\r\n\r\n",
		"quotes, escapes and controls": "GET /\"%0a\x80?\"\x80=\" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \"\\\t\xff\"}\r\n\r\n",
	} {
		raw(t, server, request)
		events.last(t) // fails when it is not JSON
		events.mu.Lock()
		if n := bytes.Count(events.all.Bytes(), []byte{'\n'}); n != 1 || events.all.Len() > 8<<10 {
			t.Errorf("%s: %d lines of %d bytes", name, n, events.all.Len())
		}
		events.all.Reset()
		events.mu.Unlock()
	}
}

func TestAnAgentCannotSteerATerminal(t *testing.T) {
	t.Parallel()
	server, events := serve(t, &pipeline.Route{Name: "r", Methods: []string{"GET"}, Pattern: "/"})
	const agent = "a\u009b31m\u0080\u009f\u00a0é"
	raw(t, server, "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: "+agent+"\r\n\r\n")
	if got := events.last(t)["user_agent.original"]; got != agent {
		t.Errorf("the event tells %q, want %q", got, agent)
	}
	if bytes.Contains(events.all.Bytes(), []byte("\u009b")) || !bytes.Contains(events.all.Bytes(), []byte(`a\u009b31m\u0080\u009f`+"\u00a0é")) {
		t.Errorf("the line holds %q", events.all.Bytes())
	}
}

func TestAClientThatBreaksItsBodyIsKnownAsTheOneWhoFailed(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	route := &pipeline.Route{Name: "r", Methods: []string{"POST"}, Pattern: "/", Forward: forwardFunc(func(_ http.ResponseWriter, tx *pipeline.Transaction) (pipeline.Result, error) {
		_, err := io.Copy(io.Discard, tx.Request.Body)
		failed <- tx.ClientErr()
		return pipeline.Result{}, problem.New(problem.BadRequest, "").Because(err)
	})}
	server, _ := serve(t, route)
	status, _ := raw(t, server, "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
	if err := <-failed; err == nil || status != 400 {
		t.Errorf("client error %v, status %d; want an error and 400", err, status)
	}
}

func TestAnEventHoldsWhatDecidedAndNoSecret(t *testing.T) {
	t.Parallel()
	route := &pipeline.Route{
		Name: "search", Methods: []string{"GET"}, Pattern: "/v1/hotels", Place: "routes/search.yaml:4", Queries: []string{"city"},
		Stages: []pipeline.Stage{stageFunc{"authenticate", func(tx *pipeline.Transaction) error {
			tx.Principal = &token.Principal{Issuer: "hotel", Subject: "g-7", Client: "demo", Scopes: []string{"search:read"}, TokenID: "jti-1"}
			tx.Rule = "allow (routes/search.yaml:6)"
			return nil
		}}},
	}
	server, events := serve(t, route)
	raw(t, server, "GET /v1/hotels?city=Helsinki&access_token=CANARY HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer CANARY\r\nCookie: s=CANARY\r\nUser-Agent: a\"b\\\xff\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n")
	event := events.last(t)
	if text, _ := json.Marshal(event); bytes.Contains(text, []byte("CANARY")) {
		t.Errorf("the event holds a secret: %s", text)
	}
	inner := event["portcullis"].(map[string]any)
	for name, pair := range map[string][2]any{
		"query": {event["url.query"], "city=Helsinki&access_token=REDACTED"}, "subject": {event["user.id"], "g-7"}, "trace": {event["trace.id"], "0af7651916cd43dd8448eb211c80319c"},
		"decision": {inner["decision"], "allow"}, "route": {inner["route"], "search"}, "rule": {inner["rule"], "allow (routes/search.yaml:6)"}, "policy": {inner["policy"], "v1"},
		"source": {event["client.ip"], "127.0.0.1"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestAResponseThatBreaksMidwayIsAborted(t *testing.T) {
	t.Parallel()
	route := &pipeline.Route{Name: "r", Methods: []string{"GET"}, Pattern: "/", Forward: forwardFunc(func(w http.ResponseWriter, _ *pipeline.Transaction) (pipeline.Result, error) {
		_, _ = io.WriteString(w, "half")
		return pipeline.Result{Status: 200, Bytes: 4, Broken: errors.New("upstream went away")}, nil
	})}
	server, events := serve(t, route)
	res, err := http.Get(server.URL)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looked whole")
	}
	if got := events.last(t)["portcullis"].(map[string]any)["broken"]; got != "upstream went away" {
		t.Errorf("the event says %v", got)
	}
}
