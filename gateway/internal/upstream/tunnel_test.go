package upstream

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

const handshake = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Key: k\r\n\r\n"

func webSocket(g *gate) { g.route.WebSocket = true }

func echo(p *peer) {
	r := p.next()
	if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" || r.Header.Get("Sec-WebSocket-Key") != "k" {
		p.say(status(400))
		return
	}
	p.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\nServer: s\r\n\r\nhi")
	_, _ = io.Copy(p.Conn, p.in)
}

func TestAWebSocketBecomesATunnelWhereTheRouteSaysSo(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, echo))}, webSocket)
	c := g.dial(t)
	c.say(strings.Replace(handshake, "%s", "WebSocket", 1))
	r, err := http.ReadResponse(c.in, nil)
	if err != nil || r.StatusCode != 101 || r.Header.Get("Sec-WebSocket-Accept") != "a" || r.Header.Get("Server") != "" || r.Header.Get("X-Request-Id") == "" {
		t.Fatalf("%v %+v", err, r)
	}
	said := "\x81\x02 \n\r\n\r\nGET / HTTP/1.1\r\n\r\n"
	c.say(said)
	heard := make([]byte, 2+len(said))
	if _, err := io.ReadFull(c.in, heard); err != nil || string(heard) != "hi"+said {
		t.Errorf("%q %v", heard, err)
	}
	_ = c.Close()
	o := g.last(t)
	want(t, "status", o.result.Status, 101)
	want(t, "bytes", o.result.Bytes, len(heard))
}

func TestOtherUpgradesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		head string
		tune func(*gate)
	}{
		"websocket on another route": {strings.Replace(handshake, "%s", "websocket", 1), func(*gate) {}},
		"h2c":                        {strings.Replace(handshake, "%s", "h2c", 1), webSocket},
		"two protocols":              {strings.Replace(handshake, "%s", "websocket, h2c", 1), webSocket},
		"two fields":                 {strings.Replace(handshake, "%s", "websocket\r\nUpgrade: h2c", 1), webSocket},
		"by POST":                    {strings.Replace(strings.Replace(handshake, "%s", "websocket", 1), "GET", "POST", 1), webSocket},
	} {
		t.Run(name, func(t *testing.T) {
			b := script(t, echo)
			g := front(t, Config{Endpoints: urls(b)}, c.tune)
			conn := g.dial(t)
			conn.say(c.head)
			r, _, err := conn.answer("GET")
			if err != nil || r.StatusCode != 400 {
				t.Errorf("%v %+v", err, r)
			}
			want(t, "requests seen", b.hits.Load(), 0)
		})
	}
}

func TestARefusedUpgradeIsAnOrdinaryAnswer(t *testing.T) {
	g := front(t, Config{Endpoints: urls(script(t, always(status(403))))}, webSocket)
	c := g.dial(t)
	c.say(strings.Replace(handshake, "%s", "websocket", 1))
	r, _, err := c.answer("GET")
	if err != nil || r.StatusCode != 403 {
		t.Errorf("%v %+v", err, r)
	}
}
