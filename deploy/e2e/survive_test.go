package e2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// conversation is something that outlives a request: a WebSocket, or a stream of
// events.
type conversation struct {
	name string
	// goes fails the test if nothing comes through any more.
	goes func(t *testing.T)
}

// socket opens a WebSocket.
func (s *system) socket(path string) (conversation, error) {
	config, err := websocket.NewConfig("wss://"+host(s.gatewayURL)+path, s.gatewayURL)
	if err != nil {
		return conversation{}, err
	}
	config.TlsConfig = &tls.Config{RootCAs: s.pool, NextProtos: []string{"http/1.1"}}
	conn, err := config.DialContext(s.t.Context())
	if err != nil {
		return conversation{}, err
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return conversation{"the socket " + path, func(t *testing.T) {
		t.Helper()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		var back string
		if err := websocket.Message.Send(conn, "still there?"); err != nil {
			t.Fatalf("the socket %s is closed: %v", path, err)
		}
		if err := websocket.Message.Receive(conn, &back); err != nil || back != "still there?" {
			t.Fatalf("the socket %s answers %q, %v", path, back, err)
		}
	}}, nil
}

// stream opens a stream of events.
func (s *system) stream(client *http.Client, path string) (conversation, int) {
	s.t.Helper()
	res, err := client.Get(s.gatewayURL + path)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return conversation{}, res.StatusCode
	}
	s.t.Cleanup(func() { _ = res.Body.Close() })
	lines := bufio.NewReader(res.Body)
	return conversation{"the stream " + path, func(t *testing.T) {
		t.Helper()
		// What was sent meanwhile has piled up: read past it.
		asked := time.Now()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("the stream %s has ended: %v", path, err)
			}
			text, isEvent := strings.CutPrefix(strings.TrimSpace(line), "data: ")
			if !isEvent {
				continue
			}
			sent, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				t.Fatal(err)
			}
			if sent.After(asked) {
				return
			}
		}
	}}, res.StatusCode
}

// TestConversationsOutliveTheirPolicy: a WebSocket and a stream go on while their
// own route and its neighbour are edited, removed with their upstream, and added
// again; new ones are what the policy in force makes of them.
func TestConversationsOutliveTheirPolicy(t *testing.T) {
	t.Parallel()
	const upstreams = "version: 1\nhosts: [localhost]\ndefaults: {timeout: 55s}\nupstreams:\n" +
		"  - {name: steady, endpoints: [\"${env:BACKEND}\"], credential: {none: the suite}}\n"
	const going = "  - {name: going, endpoints: [\"${env:BACKEND}\"], credential: {none: the suite}}\n"
	steady := []string{
		"steady-socket: GET /socket/steady, upstream: steady, websocket: true, " + openly,
		"steady-stream: GET /stream/steady, upstream: steady, " + openly,
	}
	moving := []string{
		"going-socket: GET /socket/going, upstream: going, websocket: true, " + openly,
		"going-stream: GET /stream/going, upstream: going, " + openly,
	}
	s := lone(t, map[string]string{"upstreams.yaml": upstreams + going, "routes.yaml": routes(append(steady, moving...)...)})
	s.startGateway()
	two, one := s.newClient(), s.http1()
	open := func(of string) (all []conversation) {
		t.Helper()
		c, err := s.socket("/socket/" + of)
		if err != nil {
			t.Fatalf("no socket of %s: %v", of, err)
		}
		all = append(all, c)
		for _, client := range []*http.Client{one, two} {
			c, status := s.stream(client, "/stream/"+of)
			if status != http.StatusOK {
				t.Fatalf("no stream of %s: %d", of, status)
			}
			all = append(all, c)
		}
		return all
	}
	closed := func(of string, want int) {
		t.Helper()
		if _, err := s.socket("/socket/" + of); err == nil {
			t.Errorf("a new socket of %s is served", of)
		}
		if _, status := s.stream(two, "/stream/"+of); status != want {
			t.Errorf("a new stream of %s gets %d, want %d", of, status, want)
		}
	}
	conversations := append(open("steady"), open("going")...)
	goOn := func(after string) {
		t.Helper()
		t.Logf("%d conversations after %s", len(conversations), after)
		for _, c := range conversations {
			c.goes(t)
		}
	}
	goOn("the start")

	denied := strings.NewReplacer("allow: ", "deny: [{anyone: true, reason: closed for repairs}], allow: ", "websocket: true, ", "")
	s.write("routes.yaml", routes(append(steady[:2:2], denied.Replace(moving[0]), denied.Replace(moving[1]))...))
	s.reloads()
	goOn("an edit that denies them to others")
	closed("going", http.StatusForbidden)
	conversations = append(conversations, open("steady")...)

	s.write("routes.yaml", routes(steady...))
	s.reloads()
	s.write("upstreams.yaml", upstreams)
	s.reloads()
	goOn("the removal of their routes and their upstream")
	closed("going", http.StatusNotFound)

	s.write("upstreams.yaml", upstreams+going)
	s.write("routes.yaml", routes(append(steady, moving...)...))
	s.reloads()
	goOn("their return")
	conversations = append(conversations, open("going")...)

	s.write("routes.yaml", "version: 1\nrutes: []\n")
	if out, code := s.reload(); code != 1 || !strings.Contains(out, "routes.yaml:2:1") || !strings.Contains(out, "stays in force") {
		t.Errorf("a broken edit: exit code %d: %s", code, out)
	}
	goOn("a broken edit")
}

// hold is what the backend does with a conversation.
func (b *backend) hold(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/socket/") {
		websocket.Server{Handler: func(conn *websocket.Conn) { _, _ = io.Copy(conn, conn) }}.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case now := <-tick.C:
			_, err := io.WriteString(w, "data: "+now.Format(time.RFC3339Nano)+"\n\n")
			if err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
		}
	}
}
