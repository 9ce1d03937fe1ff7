package chassis_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"portcullis/services/chassis"
)

func TestLocalhostIsBothLoopbacksOnOnePort(t *testing.T) {
	listeners, err := chassis.Listen("localhost:0", "--addr")
	if err != nil {
		t.Fatal(err)
	}
	ports := map[int]bool{}
	for _, l := range listeners {
		defer l.Close()
		at := l.Addr().(*net.TCPAddr)
		ports[at.Port] = true
		if !at.IP.IsLoopback() {
			t.Errorf("it listens on %v, where others can reach it", at)
		}
	}
	if len(ports) != 1 {
		t.Errorf("ports %v", ports)
	}
	six, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		six.Close()
		if len(listeners) != 2 {
			t.Errorf("the system has ::1 but there are %d listeners", len(listeners))
		}
	}
}

// The holder is this very process, found through the system like any other.
func TestABusyPortNamesItsHolderAndTheWayOut(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		taken, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Logf("this system has no %s: %v", host, err)
			continue
		}
		defer taken.Close()
		port := taken.Addr().(*net.TCPAddr).Port
		_, err = chassis.Listen(fmt.Sprintf("localhost:%d", port), "--ops")
		if err == nil {
			t.Fatalf("a port taken on %s is not noticed", host)
		}
		for _, want := range []string{fmt.Sprint(port), "--ops", "PORT_BASE", fmt.Sprintf("(process %d)", os.Getpid())} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q lacks %q", err, want)
			}
		}
	}
}

// noting is a listener that notes what it is within.
type noting struct {
	net.Listener
	slots *chassis.Slots
}

// Accept takes a slot for good.
func (n noting) Accept() (net.Conn, error) {
	conn, err := n.Listener.Accept()
	if err == nil {
		n.slots.TryTake()
	}
	return conn, err
}

// TestWhoAcceptsBringsItsOwnConnections: they are served as they come, and the
// places are those of the limits.
func TestWhoAcceptsBringsItsOwnConnections(t *testing.T) {
	slots := make(chan *chassis.Slots, 2)
	p := start(t, chassis.Config{Handler: http.HandlerFunc(hello), Limits: chassis.Limits{Connections: 3}, Accept: func(l net.Listener, s *chassis.Slots) net.Listener {
		slots <- s
		return noting{l, s}
	}})
	if status, body := get(fresh(), "http://"+p.addr); status != 200 {
		t.Fatal(status, body)
	}
	s := <-slots
	if s.Taken() != 1 || !s.TryTake() || !s.TryTake() || s.TryTake() {
		t.Errorf("%d places were taken, of three", s.Taken())
	}
	if err := chassis.Run(t.Context(), chassis.Config{Name: "two", Addr: "localhost:0", Handler: http.HandlerFunc(hello), TLS: &tls.Config{}, Accept: func(l net.Listener, _ *chassis.Slots) net.Listener { return l }}); err == nil {
		t.Error("two were taken who both make the handshakes")
	}
}
