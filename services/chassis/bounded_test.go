package chassis_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"portcullis/services/chassis"
)

// TestOneSourceCannotHoldEveryConnection opens connections that say nothing,
// as many as there are slots, and asks from another address.
func TestOneSourceCannotHoldEveryConnection(t *testing.T) {
	p := start(t, chassis.Config{Handler: http.HandlerFunc(hello), Limits: chassis.Limits{Connections: 128, ReadHeader: time.Minute}})
	attacker := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	var held []net.Conn
	for range 128 {
		conn, err := attacker.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		held = append(held, conn)
	}
	if status, body := get(fresh(), "http://"+p.addr); status != 200 {
		t.Fatalf("another client is locked out: %d %s", status, body)
	}
	open := 0
	for _, conn := range held {
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			open++
		}
	}
	if open != 64 {
		t.Errorf("the attacker holds %d of 128 connections, want 64", open)
	}

	// What it lets go of, it may have again.
	held[0].Close()
	for began := time.Now(); ; {
		conn, err := attacker.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		answer, errRead := io.ReadAll(conn)
		conn.Close()
		if err == nil && errRead == nil && len(answer) > 0 {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("a slot that was given back stays taken: %v, %v", err, errRead)
		}
	}
}
