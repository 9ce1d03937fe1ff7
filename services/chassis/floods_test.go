package chassis

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// flooded is a server bounded as every server of ours, under attack.
type flooded struct {
	t         *testing.T
	addr      string
	tls       *tls.Config
	atOnce    atomic.Int64
	mostAlive atomic.Int64
	began     atomic.Int64
}

func newFlooded(t *testing.T) *flooded {
	t.Helper()
	f := &flooded{t: t}
	helper := httptest.NewUnstartedServer(nil)
	helper.StartTLS()
	certificates, pool := helper.TLS.Certificates, helper.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	helper.Close()
	f.tls = &tls.Config{RootCAs: pool, ServerName: "example.com", NextProtos: []string{"h2"}}
	limits, err := Limits{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := Config{Handler: http.HandlerFunc(f.serve), TLS: &tls.Config{Certificates: certificates}, Limits: limits, Log: slog.New(slog.DiscardHandler)}.server()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.ServeTLS(l, "", "") })
	t.Cleanup(func() { s.Close(); serving.Wait() })
	return f
}

// serve works until it is told to stop, but for who asks for "/".
func (f *flooded) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		_, _ = io.WriteString(w, "served")
		return
	}
	f.began.Add(1)
	alive := f.atOnce.Add(1)
	defer f.atOnce.Add(-1)
	for most := f.mostAlive.Load(); alive > most && !f.mostAlive.CompareAndSwap(most, alive); most = f.mostAlive.Load() {
	}
	<-r.Context().Done()
}

// withstand sends what flood makes, again and again, until the server hangs up
// or has taken as many octets as most, while others are served and memory stays
// bounded. It reports whether the server has hung up.
func (f *flooded) withstand(reads bool, most int, opening []byte, flood func(*http2.Framer, int)) (ended bool) {
	f.t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()

	conn, err := tls.Dial("tcp", f.addr, f.tls)
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	if reads {
		go func() { _, _ = io.Copy(io.Discard, conn) }()
	}
	var batch bytes.Buffer
	framer := http2.NewFramer(&batch, nil)
	framer.AllowIllegalWrites = true
	batch.WriteString(http2.ClientPreface)
	_ = framer.WriteSettings()
	batch.Write(opening)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: f.tls.Clone(), ForceAttemptHTTP2: true}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	sent := 0
	for i := 0; sent < most && !ended; i++ {
		flood(framer, i)
		if batch.Len() < 32<<10 {
			continue
		}
		n, err := conn.Write(batch.Bytes())
		sent += n
		batch.Reset()
		ended = err != nil
		if i%50 == 0 {
			f.others(client)
		}
	}
	f.others(client)
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 64<<20 {
		f.t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	if grown := runtime.NumGoroutine() - goroutines; grown > 300 {
		f.t.Errorf("%d goroutines more", grown)
	}
	return ended
}

// others get their answer meanwhile.
func (f *flooded) others(client *http.Client) {
	f.t.Helper()
	res, err := client.Get(fmt.Sprintf("https://%s/", f.addr))
	if err != nil {
		f.t.Errorf("another client: %v", err)
		return
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "served" {
		f.t.Errorf("another client got %q, %v", body, err)
	}
}

// block is the header block of a request, without dynamic entries.
func block(t *testing.T, path string) []byte {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	for _, field := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "example.com"}, {Name: ":path", Value: path}} {
		field.Sensitive = true // never indexed: the block may be sent again and again
		if err := encoder.WriteField(field); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestRapidResetEndsTheConnection(t *testing.T) {
	f := newFlooded(t)
	headers := block(t, "/work")
	ended := f.withstand(true, 64<<20, nil, func(framer *http2.Framer, i int) {
		id := uint32(2*i + 1)
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: headers, EndStream: true, EndHeaders: true})
		_ = framer.WriteRSTStream(id, http2.ErrCodeCancel)
	})
	if !ended {
		t.Error("the connection is still served")
	}
	if most := f.mostAlive.Load(); most > 100 {
		t.Errorf("%d handlers at once", most)
	}
	if began := f.began.Load(); began > 10_000 {
		t.Errorf("%d handlers began", began)
	}
	t.Logf("%d handlers began, at most %d at once", f.began.Load(), f.mostAlive.Load())
}

// TestAPatientRapidResetEndsTheConnectionToo resets each stream only when its
// handler runs, so that net/http's own bound on waiting streams is never met.
func TestAPatientRapidResetEndsTheConnectionToo(t *testing.T) {
	f := newFlooded(t)
	conn, err := tls.Dial("tcp", f.addr, f.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer, headers := http2.NewFramer(conn, nil), block(t, "/work")
	_ = framer.WriteSettings()
	hungUp := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, conn); close(hungUp) }()
	for i := range int64(1_000) {
		id := uint32(2*i + 1)
		err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: headers, EndStream: true, EndHeaders: true})
		for ended := false; err == nil && !ended && f.began.Load() <= i; runtime.Gosched() {
			select {
			case <-hungUp:
				ended = true
			default:
			}
		}
		if err == nil {
			err = framer.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		select {
		case <-hungUp:
			err = io.EOF
		default:
		}
		if err != nil {
			t.Logf("the connection ended after %d streams", i)
			return
		}
	}
	t.Error("a thousand streams were opened and reset, and the connection is still served")
}

func TestEndlessContinuationEndsTheConnection(t *testing.T) {
	f := newFlooded(t)
	var opening bytes.Buffer
	_ = http2.NewFramer(&opening, nil).WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(t, "/work"), EndStream: true})
	filler := bytes.Repeat([]byte("\x00\x01x\x3f"+string(bytes.Repeat([]byte("y"), 63))), 200)
	if !f.withstand(true, 64<<20, opening.Bytes(), func(framer *http2.Framer, i int) {
		_ = framer.WriteContinuation(1, false, filler)
	}) {
		t.Error("the connection is still served")
	}
}
