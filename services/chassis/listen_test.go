package chassis_test

import (
	"fmt"
	"net"
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
