package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var seed = flag.Uint64("seed", 0, "where the random spellings start; 0 for anywhere")

// captor is an upstream that keeps every request as the bytes it got.
type captor struct {
	net.Listener
	mu   sync.Mutex
	seen map[int]string // by the number that the request carries
}

func newCaptor(t *testing.T) *captor {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &captor{Listener: l, seen: map[int]string{}}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(t, conn)
		}
	}()
	return c
}

func (c *captor) serve(t *testing.T, conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		var head strings.Builder
		number := -1
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			head.WriteString(line)
			if value, ok := strings.CutPrefix(line, "X-N: "); ok {
				number, _ = strconv.Atoi(strings.TrimSpace(value))
			}
			if line == "\r\n" {
				break
			}
		}
		c.mu.Lock()
		if _, twice := c.seen[number]; twice || number < 0 {
			t.Errorf("a request came twice, or from nowhere: %q", head.String())
		}
		c.seen[number] = head.String()
		c.mu.Unlock()
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

// take gives what was kept, and forgets it.
func (c *captor) take() map[int]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = map[int]string{}
	return seen
}

// speller makes up requests. Most pieces that it writes are plain, or nothing
// would pass.
type speller struct{ *rand.Rand }

func (s speller) pick(plain, odd []string, oddly float64) string {
	if s.Float64() < oddly {
		return odd[s.IntN(len(odd))]
	}
	return plain[s.IntN(len(plain))]
}

func (s speller) path() string {
	plain := strings.Fields("a b admin x-1 A B %61 %41dmin %7e ~ . _ - %c3%a9 %C3%A9 %e2%82%ac %5B %22 %3c %5e %60 %7B : @ %3A %40 ! $ & ' ( ) * + , = %21 %24 %26 %27 %28 %29 %2a %2B %2C %3d %20x x.y .well %EF%BC%8F %E2%80%AE %cc%81")
	odd := strings.Fields("%2f %2F %5c \\ %00 ; %3b .. . %2e %2e%2e .%2e %c0%af %c0%ae %e0%80%af %ff %80 %25 %252f %252e # %23 ? %3f %0a %0d%0a %09 %7f %u002f % %2 %zz // /./ /../ %20 [ ] { | \" < ^ ` \xc3\xa9 \xff \x01 %ed%a0%80")
	var b strings.Builder
	if s.IntN(4) == 0 {
		b.WriteString("/projects")
	}
	for range 1 + s.IntN(4) {
		b.WriteString("/")
		for range 1 + s.IntN(3) {
			b.WriteString(s.pick(plain, odd, 0.15))
		}
	}
	if s.IntN(8) == 0 {
		b.WriteString("/")
	}
	return b.String()
}

func (s speller) query() string {
	if s.IntN(3) == 0 {
		return ""
	}
	plain := strings.Fields("a b = = & & A 1 %61 %3D %26 + %20 %2b %3b %23 %2f / ? : @ [ ] ! $ ' ( ) * , . ~ - _ %c3%a9 %22 %3C %0d%0a %09 %25 %2541 %E2%80%A8 | { } ^ ` \" < >")
	odd := strings.Fields("; %00 %zz % %4 # \\ %ff %c0%af \xc3\xa9 \x01 %ed%a0%80 %u0061")
	var b strings.Builder
	b.WriteString("?")
	for range s.IntN(12) {
		b.WriteString(s.pick(plain, odd, 0.08))
	}
	return b.String()
}

// fields are some that claim what only a gateway may say, each in a spelling that
// some server reads as the same, and one that passes.
func (s speller) fields() string {
	claims := strings.Fields("X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto Forwarded X-Real-Ip X-User X-User-Id X-Auth-Request-User Remote-User Portcullis-Subject X-Original-Url X-Rewrite-Url X-Request-Id Client-Cert Via Proxy X-Http-Method-Override")
	var b strings.Builder
	for range s.IntN(3) {
		name := []byte(claims[s.IntN(len(claims))])
		for i, c := range name {
			switch {
			case c == '-' && s.IntN(3) == 0:
				name[i] = "_._~!*'"[s.IntN(7)]
			case c != '-' && s.IntN(2) == 0:
				name[i] = c ^ 0x20
			}
		}
		fmt.Fprintf(&b, "%s: spoofed\r\n", name)
		if s.IntN(4) == 0 {
			fmt.Fprintf(&b, "Connection: %s\r\n", name)
		}
	}
	return b.String()
}

func (s speller) request(number int) string {
	return "GET " + s.path() + s.query() + " HTTP/1.1\r\nHost: localhost\r\nX-N: " + strconv.Itoa(number) + "\r\n" + s.fields() + "\r\n"
}

// batched sends requests over kept connections, several at once on each, and
// hands every answer on. A server that closes is dialed again.
func batched(t *testing.T, dial func() (net.Conn, error), requests []string, each func(i int, res *http.Response, body []byte)) {
	const atOnce = 50
	for next := 0; next < len(requests); {
		conn, err := dial()
		if err != nil {
			t.Error(err)
			return
		}
		before := next
		next = conversed(conn, requests, next, atOnce, each)
		conn.Close()
		if next == before {
			t.Errorf("no answer to %q", requests[next])
			return
		}
	}
}

func conversed(conn net.Conn, requests []string, next, atOnce int, each func(i int, res *http.Response, body []byte)) int {
	r := bufio.NewReader(conn)
	for next < len(requests) {
		few := requests[next:min(next+atOnce, len(requests))]
		if conn.SetDeadline(time.Now().Add(2*time.Minute)) != nil {
			return next
		}
		// A server that refused one has closed: the answers that came before are read
		// all the same.
		_, unsent := io.WriteString(conn, strings.Join(few, ""))
		for range few {
			res, body, err := answered(r, http.MethodGet)
			if err != nil {
				return next
			}
			each(next, res, body)
			next++
			if res.Close {
				return next
			}
		}
		if unsent != nil {
			return next
		}
	}
	return next
}

// TestEverySpellingIsReadAlike sends random spellings of paths, queries and
// fields. Whatever the gateway lets through is sent on, byte for byte, to
// services by five hands: each reads the path and the query that was decided on,
// and sees no field that only the gateway may say.
func TestEverySpellingIsReadAlike(t *testing.T) {
	t.Parallel()
	captor, services := newCaptor(t), echoes(t)
	const every = "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS"
	s := lone(t, map[string]string{
		"gateway.yaml": "version: 1\nhosts: [localhost]\nupstreams:\n  - {name: captor, endpoints: [\"http://" + captor.Addr().String() + "\"], credential: {none: the suite}}\n" +
			"issuers:\n  - {name: outside, url: \"${env:ISSUER}\", audience: gateway, ca: \"${env:ISSUER_CA}\"}\n",
		"routes.yaml": routes(
			`admin: "`+every+` /admin", upstream: captor, authenticate: [outside], limits: {none: the suite}, waf: {none: the suite}, allow: [{scopes: [admin]}]`,
			`below: "`+every+` /admin/*", upstream: captor, authenticate: [outside], limits: {none: the suite}, waf: {none: the suite}, allow: [{scopes: [admin]}]`,
			`all: "`+every+` /*", upstream: captor, `+openly,
			`project: "`+every+` /projects/{project}", upstream: captor, encoded_slash: true, `+openly,
		),
	})
	s.startGateway()
	start := *seed
	if start == 0 {
		start = rand.Uint64()
	}
	t.Logf("again with these spellings: go test -run TestEverySpellingIsReadAlike ./deploy/e2e -seed %d", start)
	events := &eventReader{path: filepath.Join(s.dir, "gateway.out"), seen: map[string]map[string]any{}}
	const round = 10_000
	for from := 0; from < spellings; from += round {
		many := min(round, spellings-from)
		passed := s.spelled(t, captor, speller{rand.New(rand.NewPCG(start, uint64(from)))}, many)
		if len(passed) < many/5 || len(passed) > many*9/10 {
			t.Errorf("%d of %d pass: the test proves little", len(passed), many)
		}
		s.alike(t, services, passed, events)
		if t.Failed() {
			return
		}
		if from+round < spellings { // so that a long run fills no disk
			if err := os.Truncate(events.path, 0); err != nil {
				t.Fatal(err)
			}
			events.offset, events.seen = 0, map[string]map[string]any{}
		}
	}
}

// spelled sends many requests and gives what reached the upstream.
func (s *system) spelled(t *testing.T, captor *captor, spell speller, many int) []string {
	t.Helper()
	requests := make([]string, many)
	for i := range requests {
		requests[i] = spell.request(i)
	}
	var let sync.Map
	var both sync.WaitGroup
	dial := func() (net.Conn, error) {
		return tls.Dial("tcp", host(s.gatewayURL), &tls.Config{ServerName: noName, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	const senders = 4
	for n := range senders {
		from, to := n*many/senders, (n+1)*many/senders
		both.Go(func() {
			batched(t, dial, requests[from:to], func(i int, res *http.Response, body []byte) {
				switch res.StatusCode {
				case http.StatusOK:
					let.Store(from+i, true)
				case http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound:
				default:
					t.Errorf("%q gets %d %s", requests[from+i], res.StatusCode, body)
				}
			})
		})
	}
	both.Wait()
	var passed []string
	for number, head := range captor.take() {
		if _, ok := let.Load(number); !ok {
			t.Errorf("a request that was refused reached the upstream: %q as %q", requests[number], head)
		}
		passed = append(passed, head)
	}
	return passed
}

// alike sends what passed to every service and compares its reading with the
// decision. A service may refuse, which harms nobody.
func (s *system) alike(t *testing.T, services []echo, passed []string, events *eventReader) {
	t.Helper()
	decided := make([]map[string]any, len(passed))
	for i, head := range passed {
		_, id, _ := strings.Cut(head, "\r\nX-Request-Id: ")
		id, _, _ = strings.Cut(id, "\r\n")
		decided[i] = events.of(t, id)
	}
	var all sync.WaitGroup
	for _, e := range services {
		all.Go(func() {
			refused := 0
			batched(t, func() (net.Conn, error) { return net.Dial("tcp", e.addr) }, passed, func(i int, res *http.Response, body []byte) {
				if res.StatusCode != http.StatusOK {
					refused++
					return
				}
				var saw echoed
				if err := json.Unmarshal(body, &saw); err != nil {
					t.Errorf("%s: %v: %s", e.name, err, body)
					return
				}
				if complaint := saw.contradicts(e.name, decided[i]); complaint != "" || strings.Contains(fmt.Sprint(saw.Header), "spoofed") {
					t.Errorf("%s: %s\nit was sent %q\nand sees %+v\nthe event is %v", e.name, complaint, passed[i], saw, decided[i])
				}
			})
			if refused > len(passed)/4 {
				t.Errorf("%s refuses %d of %d: the test proves little", e.name, refused, len(passed))
			}
			t.Logf("%s read %d and refused %d", e.name, len(passed)-refused, refused)
		})
	}
	all.Wait()
}
