package framing

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// message is what a reader made of one message: what it says, its body, and
// where the next begins.
type message struct {
	first, second string // method and target, or status
	body          [sha256.Size]byte
	end           int
}

// counted counts what was read through it.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// background reads one octet ahead between messages, as http.Server does while a
// handler runs.
type background struct {
	io.Reader
	octet [1]byte
	full  bool
}

func (b *background) watch() {
	if !b.full {
		n, _ := b.Reader.Read(b.octet[:])
		b.full = n == 1
	}
}

func (b *background) Read(p []byte) (int, error) {
	if b.full {
		b.full = false
		return copy(p, b.octet[:]), nil
	}
	return b.Reader.Read(p)
}

// served is how net/http reads requests: its parser, what its server refuses
// besides, and its way of reading ahead.
func served(r io.Reader) (messages []message) {
	ahead := &background{Reader: r}
	count := &counted{Reader: ahead}
	br := bufio.NewReader(count)
	for {
		request, err := http.ReadRequest(br)
		if err != nil || request.ProtoMajor != 1 {
			return messages
		}
		if !httpguts.ValidHostHeader(request.Host) {
			return messages
		}
		for name, values := range request.Header {
			if !httpguts.ValidHeaderFieldName(name) || slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
				return messages
			}
		}
		m := message{first: request.Method, second: request.RequestURI}
		if !digest(&m, request.Body) {
			return messages
		}
		m.end = count.n - br.Buffered()
		messages = append(messages, m)
		if request.Close || request.ProtoMinor == 0 {
			return messages
		}
		ahead.watch()
	}
}

func digest(m *message, body io.Reader) bool {
	hash := sha256.New()
	_, err := io.Copy(hash, body)
	hash.Sum(m.body[:0])
	return err == nil
}

// agreeOnRequests holds the check to its promise for one stream, cut in pieces.
func agreeOnRequests(t *testing.T, stream []byte, cut func() int) {
	t.Helper()
	conn := NewServer(&pieces{in: stream, cut: cut}, func(reason string) {
		if !slices.Contains(Reasons(), reason) {
			t.Errorf("%q is refused for %q, which nobody counts", stream, reason)
		}
	})
	checked, bare, plainly := served(conn), served(bytes.NewReader(stream)), plainRequests(stream)
	agree(t, stream, checked, bare, plainly)
}

// agree says: what passes the check, net/http alone and the plain reading see as
// the very same messages; and what these two agree on passes.
func agree(t *testing.T, stream []byte, checked, bare, plainly []message) {
	t.Helper()
	for i, m := range checked {
		if i >= len(bare) || bare[i] != m {
			t.Fatalf("message %d passed as %+v, net/http alone sees %+v: %q", i, m, bare, stream)
		}
		if i >= len(plainly) || plainly[i] != m {
			t.Fatalf("message %d passed as %+v, read plainly there are %+v: %q", i, m, plainly, stream)
		}
	}
	for i := range min(len(bare), len(plainly)) {
		if bare[i] != plainly[i] {
			return
		}
		if i >= len(checked) {
			t.Fatalf("message %d is sound and did not pass: %q", i, stream)
		}
	}
}

var requestSeeds = func() (seeds []string) {
	seeds = []string{
		theQuestion + theQuestion,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + theQuestion,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" + theQuestion,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + theQuestion,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\nA\r\n0123456789\r\n0\r\nX: 1\r\n\r\n" + theQuestion,
		"POST / HTTP/1.1\r\nhost:a\r\nExpect: 100-continue\r\nTRANSFER-ENCODING:\tCHUNKED \r\n\r\n1\r\n\n\r\n00\r\n\r\n" + theQuestion,
		"GET http://a:80/x?y HTTP/1.1\r\nHost: A:80\r\n\r\n" + theQuestion,
		"GET http://a HTTP/1.0\r\nHost: a\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nCONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" + theQuestion,
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + theQuestion,
		"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc" + theQuestion,
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + theQuestion,
	}
	for _, attack := range attacks {
		seeds = append(seeds, attack.bytes, theQuestion+attack.bytes)
	}
	for _, attack := range chunkAttacks {
		if len(attack.bytes) < 500 {
			seeds = append(seeds, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"+attack.bytes)
		}
	}
	slices.Sort(seeds) // maps have no order, and the seed of the test shall mean something
	return seeds
}()

// spices are what smuggling is made of.
var spices = []string{
	"\r\n", "\n", "\r", "\r\r\n", " ", "\t", "\x00", "\x0b", "\x7f", "\xa0", ":", ",", ";", ";a=b", "+", "-", "0x", "0", "1", "5", "f", "ffffffffffffffff", "#", "@b",
	"Content-Length: 3\r\n", "Content-Length: 0\r\n", "content-length:3\r\n", "Content-Length : 3\r\n", "Transfer-Encoding: chunked\r\n", "transfer-encoding: identity\r\n",
	"0\r\n\r\n", "3\r\nabc\r\n", "HTTP/1.0", "HTTP/1.1", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "Connection: close\r\n", "Upgrade: h2c\r\n", "Expect: 100-continue\r\n",
	"Host: b\r\n", "http://b", "GET /s HTTP/1.1\r\nHost: s\r\n\r\n", " folded\r\n",
}

// spoil makes one to three changes, at line ends more often than elsewhere.
func spoil(r *rand.Rand, seed string) []byte {
	b := []byte(seed)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(b) + 1)
		if r.IntN(2) == 0 {
			if next := bytes.IndexByte(b[at:], '\n'); next >= 0 {
				at += next + r.IntN(2)
			}
		}
		switch r.IntN(5) {
		case 0:
			b = slices.Delete(b, at, min(at+1+r.IntN(3), len(b)))
		case 1:
			if at < len(b) {
				b[at] ^= byte(1 + r.IntN(255))
			}
		default:
			b = slices.Insert(b, at, []byte(spices[r.IntN(len(spices))])...)
		}
	}
	return b
}

func TestWhatPassesIsFramedAlikeByEverybody(t *testing.T) {
	t.Parallel()
	// A reading that never gets anywhere agrees with everything.
	if n := len(served(strings.NewReader(theQuestion + theQuestion))); n != 2 {
		t.Fatalf("net/http sees %d messages where there are two", n)
	}
	r := rand.New(rand.NewPCG(9112, 1))
	for range 10_000 {
		cut := [...]int{1 << 20, 1, 9, 60}[r.IntN(4)]
		agreeOnRequests(t, spoil(r, requestSeeds[r.IntN(len(requestSeeds))]), func() int { return 1 + r.IntN(cut) })
	}
	for _, seed := range requestSeeds {
		agreeOnRequests(t, []byte(seed), func() int { return 1 << 20 })
	}
}

func FuzzRequests(f *testing.F) {
	for _, seed := range requestSeeds {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut uint8) {
		agreeOnRequests(t, stream, func() int {
			if cut == 0 {
				return 1 << 20
			}
			return int(cut)
		})
	})
}

// question kinds of the answers that are fuzzed.
var questions = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
}

// received is how net/http reads the answers to the same question, put again and
// again: up to the first with a final status, or all.
func received(r io.Reader, ask func() error, head, all bool) (messages []message) {
	count := &counted{Reader: r}
	br := bufio.NewReader(count)
	request := &http.Request{Method: "GET"}
	if head {
		request.Method = "HEAD"
	}
	for asked := false; ; {
		if !asked {
			if ask() != nil {
				return messages
			}
			asked = true
		}
		res, err := http.ReadResponse(br, request)
		if err != nil {
			return messages
		}
		interim := res.StatusCode/100 == 1
		m := message{first: res.Status[:3]}
		if !interim && !digest(&m, res.Body) {
			return messages
		}
		m.end = count.n - br.Buffered()
		messages = append(messages, m)
		unbounded := res.ContentLength < 0 && res.Body != http.NoBody && len(res.TransferEncoding) == 0
		switch {
		case res.StatusCode == 101, unbounded:
			return messages
		case interim:
		case !all || res.Close:
			return messages
		default:
			asked = false
		}
	}
}

func agreeOnAnswers(t *testing.T, stream []byte, cut int, question string) {
	t.Helper()
	head := strings.HasPrefix(question, "HEAD")
	// Only when octets come one by one is nothing of an answer there before it
	// was asked for.
	all := cut == 1
	conn := NewClient(&pieces{in: stream, cut: func() int { return cut }})
	checked := received(conn, func() error { _, err := io.WriteString(conn, question); return err }, head, all)
	bare := received(&pieces{in: stream, cut: func() int { return cut }}, func() error { return nil }, head, all)
	agree(t, stream, checked, bare, plainAnswers(stream, head, strings.Contains(question, "Upgrade"), all))
}

var answerSeeds = func() (seeds []string) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	seeds = []string{
		ok + ok, "HTTP/1.1 200\r\ncontent-length:0 \r\n\r\n" + ok, "HTTP/1.1 204 No Content\r\n\r\n" + ok, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" + ok,
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok + ok,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n" + ok,
		"HTTP/1.1 200 OK\r\n\r\nuntil the end", "HTTP/1.0 200 OK\r\n\r\nuntil the end", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + ok, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00",
	}
	for _, c := range malformed {
		seeds = append(seeds, c.bytes, c.bytes+ok)
	}
	slices.Sort(seeds)
	return seeds
}()

func TestWhatPassesOfABackendIsFramedAlikeByEverybody(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9112, 2))
	for range 10_000 {
		agreeOnAnswers(t, spoil(r, answerSeeds[r.IntN(len(answerSeeds))]), [...]int{1 << 20, 1, 5}[r.IntN(3)], questions[r.IntN(len(questions))])
	}
	for _, seed := range answerSeeds {
		for _, question := range questions {
			agreeOnAnswers(t, []byte(seed), 1, question)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	for _, seed := range answerSeeds {
		f.Add([]byte(seed), uint8(0), uint8(0))
		f.Add([]byte(seed), uint8(1), uint8(1))
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut, question uint8) {
		size := int(cut)
		if size == 0 {
			size = 1 << 20
		}
		agreeOnAnswers(t, stream, size, questions[int(question)%len(questions)])
	})
}
