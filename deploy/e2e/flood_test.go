package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
)

// slow are connections that ask for as much as they can and finish nothing, one
// kind after the other.
func slow(i int, conn net.Conn, config *tls.Config) {
	if i%5 == 0 {
		return // says nothing at all
	}
	if i%5 == 1 {
		_, _ = io.WriteString(conn, "\x16\x03\x01\x02\x00\x01") // stops within its hello
		return
	}
	secure := tls.Client(conn, config)
	text := map[int]string{
		2: "GET /door HTTP/1.1\r\nHost: localhost\r\nX-", // stops within its header
		3: "POST /door HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nhalf a body",
		4: "GET /stream/slow HTTP/1.1\r\nHost: localhost\r\n\r\n", // does not read
	}[i%5]
	_, _ = io.WriteString(secure, text) // who is hung up on has lost
}

// TestAFloodLeavesGoodClientsBe: more connections than there are places, from many
// addresses, hold what they can. Whoever asks a whole question is answered, and the
// gateway's memory stays what it is allowed.
func TestAFloodLeavesGoodClientsBe(t *testing.T) {
	t.Parallel()
	s := lone(t, door(""))
	s.gatewayArgs = append(s.gatewayArgs, "--connections", "200", "--handshake-timeout", "1m", "--header-timeout", "1m")
	s.startGateway()
	config := &tls.Config{RootCAs: s.pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	for i := range 300 {
		conn, err := s.dialFrom(byte(10 + i%100))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go slow(i, conn, config)
	}
	for range 20 {
		conn, err := s.dialFrom(2)
		if err != nil {
			t.Fatal(err)
		}
		if status, body, err := over(conn, config, "localhost", ""); err != nil || status != 200 {
			t.Fatalf("a good client got %d %s, %v", status, body, err)
		}
	}
	if memory := s.number("process_resident_memory_bytes"); memory > 512<<20 {
		t.Errorf("the gateway takes %.0f MiB", memory/(1<<20))
	}
}
