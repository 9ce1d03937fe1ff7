package e2e

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// largestBody is the largest body that a policy may let in.
const largestBody = 64 << 20

// pattern is a stream of n bytes, in which no piece is mistaken for another.
type pattern struct {
	at, n int64
	block []byte
}

// round is after how many bytes a pattern begins again: no power of two, and no
// size of a buffer.
const round = 251 * 1021

func (p *pattern) Read(b []byte) (int, error) {
	if p.at == p.n {
		return 0, io.EOF
	}
	if p.block == nil {
		p.block = make([]byte, round)
		for i := range p.block {
			p.block[i] = byte(i%251) ^ byte(i>>8)
		}
	}
	k := copy(b[:min(int64(len(b)), p.n-p.at)], p.block[p.at%round:])
	p.at += int64(k)
	return k, nil
}

// counted counts what passes it.
type counted struct {
	io.Writer
	n *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n.Add(int64(n))
	return n, err
}

// memory reads a line of the gateway's /proc/PID/status, in bytes.
func (s *system) memory(name string) int64 {
	s.t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", s.gateway.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n << 10
		}
	}
	s.t.Fatalf("no %s", name)
	return 0
}

// TestLargeBodiesStreamInConstantMemory sends them both ways, by both protocols,
// and has a client stop reading in the middle.
func TestLargeBodiesStreamInConstantMemory(t *testing.T) {
	t.Parallel()
	var written atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			sum := sha256.New()
			n, err := io.Copy(sum, r.Body)
			_, _ = fmt.Fprintf(w, "%d %x %v", n, sum.Sum(nil), err)
			return
		}
		size, err := strconv.ParseInt(strings.TrimPrefix(r.URL.Path, "/down/"), 10, 64)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		written.Store(0)
		_, _ = io.Copy(counted{w, &written}, &pattern{n: size})
	}))
	t.Cleanup(server.Close)
	s := lone(t, map[string]string{
		"gateway.yaml": "version: 1\nhosts: [localhost]\ndefaults: {body: 64MiB, timeout: 5m}\nupstreams:\n  - {name: store, endpoints: [\"" + server.URL + "\"], credential: {none: the suite}}\n",
		"routes.yaml":  routes("up: POST /up, upstream: store, "+openly, "down: \"GET /down/{size}\", upstream: store, "+openly),
	})
	s.env = append(s.env, "GOGC=100") // or garbage would be left to lie, up to a bound of its own
	s.startGateway()
	clients := map[string]*http.Client{"HTTP/1.1": s.http1(), "HTTP/2.0": s.newClient()}
	for _, c := range clients {
		c.Timeout = 5 * time.Minute
	}
	down := func(client *http.Client, size int64, beside func(io.Reader, hash.Hash)) {
		res, err := client.Get(s.gatewayURL + "/down/" + strconv.FormatInt(size, 10))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		got, want := sha256.New(), sha256.New()
		if beside != nil {
			beside(res.Body, got)
		}
		if _, err := io.Copy(got, res.Body); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(want, &pattern{n: size})
		if string(got.Sum(nil)) != string(want.Sum(nil)) {
			t.Errorf("%s: other bytes arrive", res.Proto)
		}
	}
	up := func(client *http.Client, size int64) {
		r, err := http.NewRequest("POST", s.gatewayURL+"/up", &pattern{n: size})
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		want := sha256.New()
		_, _ = io.Copy(want, &pattern{n: size})
		if got, err := io.ReadAll(res.Body); err != nil || string(got) != fmt.Sprintf("%d %x <nil>", size, want.Sum(nil)) {
			t.Errorf("%s: the backend got %q, %v", res.Proto, got, err)
		}
	}
	for _, client := range clients {
		down(client, 1<<20, nil) // once, so that what is kept is there
		up(client, 1<<20)
	}
	before := s.memory("VmRSS")
	down(clients["HTTP/1.1"], streamedMost, nil)
	down(clients["HTTP/2.0"], streamedMost, func(body io.Reader, sum hash.Hash) {
		if _, err := io.CopyN(sum, body, 1<<20); err != nil {
			t.Fatal(err)
		}
		// Whoever reads no more is sent no more, and nobody keeps it for them.
		last, same := int64(-1), 0
		until(t, "the backend is held up too", 60*time.Second, func() bool {
			if n := written.Load(); n != last {
				last, same = n, 0
			} else {
				same++
			}
			return same == 20
		})
		if last > streamedMost/2 {
			t.Errorf("the backend has sent %d MiB to a client that reads no more", last>>20)
		}
	})
	for sent := int64(0); sent < streamedMost; sent += largestBody {
		up(clients["HTTP/1.1"], largestBody)
		up(clients["HTTP/2.0"], largestBody/4) // HTTP/2 costs the suite most
	}
	// One body of these kept whole would be more, and the larger run, of sixteen
	// times as many bytes, has the same bound. The race detector takes its share.
	const most = 56 << 20
	peak := s.memory("VmHWM")
	t.Logf("%d MiB before, %d MiB at the most, for %d MiB each way", before>>20, peak>>20, streamedMost>>20)
	if peak-before > most {
		t.Errorf("memory grew by %d MiB", (peak-before)>>20)
	}
}
