package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"portcullis/certs"
)

// inn is the whole hotel as `make run` starts it: seven services, token
// service, gateway with the shipped policies, and the world outside.
type inn struct {
	*system
	run                           string
	bankURL, auroraURL, balticURL string
	sources                       *atomic.Int32
}

// startInn starts all of it on ports of its own.
func startInn(t *testing.T) *inn {
	t.Helper()
	dir := t.TempDir()
	authority, err := certs.Dev(filepath.Join(dir, "certs"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	base := freeBase(t, 31000)
	at := func(port int) string { return fmt.Sprintf("https://localhost:%d", base+port) }
	h := &inn{
		system:  &system{t: t, dir: dir, policies: filepath.Join(dir, "policies"), authority: authority, pool: pool(t, authority.CA()), gatewayURL: at(443), authURL: at(444)},
		run:     filepath.Join(dir, "run"),
		bankURL: at(1108), auroraURL: at(1109), balticURL: at(1110), sources: new(atomic.Int32),
	}
	h.client = h.newClient()
	if err := os.CopyFS(h.policies, os.DirFS(filepath.Join(root, "policies"))); err != nil {
		t.Fatal(err)
	}
	h.edit("waf.yaml", "waf:\n", "waf:\n") // written anew, see unproved
	up := launch(t, dir, "up", nil, "up", "--bin", bin, "--policies", h.policies, "--certs", filepath.Join(dir, "certs"), "--run", h.run, "--port-base", fmt.Sprint(base))
	h.sink = &sink{process: up, inboxURL: at(1107), client: h.client}
	until(t, "the hotel is up", 2*time.Minute, func() bool {
		select {
		case <-up.done:
			t.Fatalf("it ended: %v\n%s", up.err, up.tail())
		default:
		}
		_, err := os.Stat(filepath.Join(h.run, "env"))
		return err == nil
	})
	t.Cleanup(func() {
		up.signal(syscall.SIGINT)
		if code := up.exits(); code != 0 {
			t.Errorf("the hotel ended with exit code %d", code)
		}
		logs, err := filepath.Glob(filepath.Join(h.run, "log", "*.log"))
		if err != nil || len(logs) < 9 {
			t.Errorf("there are the logs %q: %v", logs, err)
		}
		for _, log := range logs {
			text, err := os.ReadFile(log)
			if err != nil || strings.Contains(string(text), "WARNING: DATA RACE") || strings.Contains(string(text), "panic: ") {
				t.Errorf("%s: %v\n%s", log, err, text)
			} else if t.Failed() {
				t.Logf("--- %s ends:\n%s", filepath.Base(log), text[max(0, len(text)-3000):])
			}
		}
	})
	return h
}

// in is the house in a test below the one that it was started for.
func (h inn) in(t *testing.T) *inn {
	s, k := *h.system, *h.sink
	p := &process{t: t, name: k.name, cmd: k.cmd, done: k.done}
	k.process, s.t, s.sink = p, t, &k
	h.system = &s
	return &h
}

// pid finds a service of the house.
func (h *inn) pid(name string) int {
	h.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, file := range all {
		line, err := os.ReadFile(file)
		if args := strings.Split(string(line), "\x00"); err == nil && len(args) > 2 && strings.HasPrefix(args[0], bin) && args[1] == name && strings.Contains(string(line), h.run) {
			var pid int
			if _, err := fmt.Sscanf(file, "/proc/%d/", &pid); err == nil {
				return pid
			}
		}
	}
	h.t.Fatalf("%s does not run", name)
	return 0
}

// source is an address of this machine's that nobody else calls from, so that
// one guest's haste does not count against another, as at home.
func (h *inn) source() net.IP { return net.IPv4(127, 0, 7, byte(h.sources.Add(1))) }

// detour is a listener that passes everything on to an HTTPS address as it
// comes, from a source; it gives where it listens.
func (h *inn) detour(target string, source net.IP) string {
	h.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = l.Close() })
	to := strings.Replace(host(target), "localhost", "127.0.0.1", 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: source}}
				out, err := d.Dial("tcp", to)
				if err != nil {
					return
				}
				defer out.Close()
				go func() {
					_, _ = io.Copy(out, c)
					_ = out.(*net.TCPConn).CloseWrite()
				}()
				_, _ = io.Copy(c, out)
			}()
		}
	}()
	return l.Addr().String()
}

// browser is somebody's who comes from a source of their own.
func (h *inn) browser(script, mouse bool, source net.IP) *browser {
	h.t.Helper()
	var via []string
	for _, target := range []string{h.gatewayURL, h.authURL} {
		via = append(via, "MAP "+host(target)+" "+h.detour(target, source))
	}
	b := newBrowserVia(h.t, h.authority.CA(), script, strings.Join(via, " , "))
	b.mouse = mouse
	return b
}

// from is a client that calls from a source.
func (h *inn) from(source net.IP) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: source}}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: h.pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return d.DialContext(ctx, network, strings.Replace(addr, "localhost", "127.0.0.1", 1))
		},
	}
	h.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// outside asks a stand-in of the world outside for something.
func (h *inn) outside(method, url, body, key string) (status int) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
