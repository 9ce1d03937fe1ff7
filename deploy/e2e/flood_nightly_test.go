//go:build nightly

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// allowed is what the gateway's memory may come to under any flood, in bytes.
const allowed = 512 << 20

// measured starts a gateway without the race detector: what it takes is measured.
func (s *system) measured(args ...string) {
	s.t.Helper()
	program := filepath.Join(s.dir, "gateway-measured")
	if out, err := exec.Command("go", "build", "-tags", tag, "-o", program, "portcullis/gateway").CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	out, err := os.OpenFile(filepath.Join(s.dir, "gateway.out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	s.gateway = &process{t: s.t, name: "gateway", done: make(chan struct{})}
	s.gateway.start(append(s.env, "GOMEMLIMIT=450MiB"), out, program, append(s.gatewayArgs[1:], args...)...)
	s.ready(s.gateway, s.opsURL)
}

// good asks from an address of its own, half the time by a new connection, until
// done is closed, and gives how long its answers took. Each must be right, but for
// those that a machine at its end could not give in time.
func (s *system) good(done <-chan struct{}) (took []time.Duration) {
	client := s.newClient()
	late := 0
	defer func() {
		if late > len(took)/4 {
			s.t.Errorf("good clients were not answered in time %d times of %d", late, len(took))
		}
	}()
	config := &tls.Config{RootCAs: s.pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	for i := 0; ; i++ {
		select {
		case <-done:
			return took
		case <-time.After(5 * time.Millisecond):
		}
		began, status := time.Now(), 0
		if i%2 == 0 {
			res, err := client.Get(s.gatewayURL + "/door")
			if err != nil {
				s.t.Errorf("a good client failed: %v", err)
				return took
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			status = res.StatusCode
		} else {
			conn, err := s.dialFrom(2)
			if err == nil {
				status, _, err = over(conn, config, "localhost", "")
			}
			if err != nil {
				s.t.Errorf("a good client with a new connection failed: %v", err)
				return took
			}
		}
		if status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout {
			late++
		} else if status != http.StatusOK {
			s.t.Errorf("a good client got %d", status)
		}
		took = append(took, time.Since(began))
	}
}

// beside runs a flood beside a good client, reports the client's times beside
// those of idle, and asserts the gateway's memory.
func (s *system) beside(name string, idle []time.Duration, flood func()) []time.Duration {
	s.t.Helper()
	done, times := make(chan struct{}), make(chan []time.Duration)
	go func() { times <- s.good(done) }()
	peak, watch := 0.0, make(chan struct{})
	go func() {
		defer close(watch)
		for {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
				peak = max(peak, s.resident())
			}
		}
	}()
	flood()
	close(done)
	took := <-times
	<-watch
	if len(took) == 0 {
		s.t.Fatalf("%s: no good client was answered", name)
	}
	if idle == nil {
		idle = took
	}
	s.t.Logf("%-28s %6d answers, p50 %8v, p99 %8v (idle %v), at most %.0f MiB", name, len(took), at(took, .5), at(took, .99), at(idle, .99), peak/(1<<20))
	if peak > allowed {
		s.t.Errorf("%s: the gateway takes %.0f MiB", name, peak/(1<<20))
	}
	return took
}

func at(took []time.Duration, part float64) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[int(float64(len(sorted)-1)*part)].Round(10 * time.Microsecond)
}

// resident is the gateway's memory, asked of the system: the ops port may be slow.
func (s *system) resident() float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.gateway.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	var kib float64
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			_, _ = fmt.Sscan(value, &kib)
		}
	}
	return kib * 1024
}

// TestFloods of every kind: slowhttptest's attacks, ten thousand slow connections
// held at once and as many that press for places, and a million addresses.
func TestFloods(t *testing.T) {
	s := lone(t, door("trusted_proxies: [198.51.100.1/32]\nproxy_protocol: [127.0.0.9/32]\n"+
		"defaults: {limits: [per-source]}\n"))
	s.write("limits.yaml", "version: 1\nlimits:\n  - {name: per-source, rate: 100000/1s, by: source}\n")
	s.measured()
	idle := s.beside("idle", nil, func() { <-time.After(5 * time.Second) })

	for name, args := range map[string][]string{
		"slow headers": {"-H", "-t", "GET", "-i", "2"},
		"slow bodies":  {"-B", "-t", "POST", "-s", "8192", "-i", "2"},
		"ranges":       {"-R", "-t", "HEAD", "-a", "10", "-b", "3000"},
		"slow reads":   {"-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3"},
	} {
		s.beside("slowhttptest: "+name, idle, func() {
			args = append(args, "-c", "1000", "-r", "300", "-l", "15", "-p", "3", "-u", s.gatewayURL+"/door")
			if out, err := exec.Command("slowhttptest", args...).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %.500s", name, err, out)
			}
		})
	}
	s.beside("10,000 slow press for 4096", idle, func() { s.press(10_000, 20*time.Second) })
	s.beside("a million connections", idle, func() { s.addresses(1_000_000) })
	s.beside("a million sources' requests", idle, func() { s.sources(1_000_000) })
}

// TestFloodsThatFindAPlace: ten thousand slow connections, each with a place.
func TestFloodsThatFindAPlace(t *testing.T) {
	s := lone(t, door("proxy_protocol: [127.0.0.9/32]\n"))
	s.measured("--connections", "11000", "--connections-per-source", "11000", "--handshakes", "11000", "--handshakes-per-source", "11000",
		"--handshake-timeout", "2m", "--header-timeout", "2m")
	s.beside("10,000 slow held", nil, func() { s.press(10_000, 5*time.Second) })
}

// press opens connections through the balancer, each from an address of its own,
// and opens another one for each that is hung up on. It ends some time after the
// last was opened.
func (s *system) press(many int, after time.Duration) {
	config := &tls.Config{RootCAs: s.pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	done := make(chan struct{})
	var opened, running sync.WaitGroup
	var addresses atomic.Int64
	opening := make(chan struct{}, 64)
	for i := range many {
		opened.Add(1)
		first := sync.OnceFunc(opened.Done)
		running.Go(func() {
			for {
				opening <- struct{}{}
				conn, err := s.dialFrom(9)
				if err == nil {
					_, _ = io.WriteString(conn, client(addresses.Add(1)))
					slow(i, conn, config)
				}
				<-opening
				first()
				if err == nil {
					go func() { <-done; conn.Close() }()
					_ = conn.SetDeadline(time.Time{})
					_, _ = io.Copy(io.Discard, conn) // until it is hung up on
					_ = conn.Close()
				}
				select {
				case <-done:
					return
				case <-time.After(5 * time.Second):
				}
			}
		})
	}
	opened.Wait()
	<-time.After(after)
	s.t.Logf("open: %v handshakes, %v silent, %v idle, %v busy", s.open("handshake"), s.open("silent"), s.open("idle"), s.open("busy"))
	close(done)
	running.Wait()
}

func (s *system) open(state string) float64 {
	return s.number(`portcullis_connections_open{state="` + state + `"}`)
}

// client is a PROXY header for the nth address.
func client(n int64) string {
	return fmt.Sprintf("PROXY TCP6 2001:db8:%x:%x::1 2001:db8::1 256 443\r\n", n>>16&0xffff, n&0xffff)
}

// addresses opens connections from as many addresses, which stop within their
// hello and go.
func (s *system) addresses(many int64) {
	var next atomic.Int64
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			for {
				n := next.Add(1)
				if n > many {
					return
				}
				conn, err := s.dialFrom(9)
				if err != nil {
					s.t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, client(n)+"\x16\x03\x01\x02\x00\x01")
				_ = conn.(*net.TCPConn).SetLinger(0) // or a million would wait for their end
				_ = conn.Close()
			}
		})
	}
	running.Wait()
}

// sources sends requests of as many addresses, which a proxy of ours tells of.
func (s *system) sources(many int64) {
	var next atomic.Int64
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			conn, err := s.dialFrom(9)
			if err != nil {
				s.t.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(30 * time.Minute))
			_, _ = io.WriteString(conn, "PROXY TCP4 198.51.100.1 10.0.0.1 256 443\r\n")
			secure := tls.Client(conn, &tls.Config{RootCAs: s.pool, ServerName: "localhost", MinVersion: tls.VersionTLS12})
			answers := bufio.NewReader(secure)
			for {
				n := next.Add(1)
				if n > many {
					return
				}
				_, err := fmt.Fprintf(secure, "GET /nothing HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 2001:db8:%x:%x::1\r\n\r\n", n>>16&0xffff, n&0xffff)
				if err == nil {
					var res *http.Response
					if res, err = http.ReadResponse(answers, nil); err == nil {
						_, err = io.Copy(io.Discard, res.Body)
					}
				}
				if err != nil {
					s.t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
}

// TestAScannerFindsNothingWeak: sslscan tries every version, cipher and option of
// TLS that it knows.
func TestAScannerFindsNothingWeak(t *testing.T) {
	s := lone(t, door(""))
	s.startGateway()
	out, err := exec.Command("sslscan", "--no-colour", "--show-sigs", host(s.gatewayURL)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	said := strings.Join(strings.Fields(string(out)), " ")
	for _, want := range []string{
		"SSLv2 disabled", "SSLv3 disabled", "TLSv1.0 disabled", "TLSv1.1 disabled", "TLSv1.2 enabled", "TLSv1.3 enabled",
		"Session renegotiation not supported", "TLSv1.3 not vulnerable to heartbleed", "TLSv1.2 not vulnerable to heartbleed",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the scanner does not say %q", want)
		}
	}
	if strings.Contains(said, "Compression enabled") { // Debian's cannot ask; crypto/tls has none
		t.Error("what is encrypted is compressed")
	}
	ciphers := 0
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "Preferred") && !strings.HasPrefix(line, "Accepted") {
			continue
		}
		ciphers++
		if name := line; !strings.Contains(name, "GCM") && !strings.Contains(name, "CHACHA20") || !strings.Contains(name, "ECDHE") && !strings.Contains(name, "TLSv1.3") {
			t.Errorf("taken is %s", strings.TrimSpace(line))
		}
	}
	if ciphers < 4 || t.Failed() {
		t.Errorf("%d ciphers were found:\n%s", ciphers, out)
	}
}
