package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// directly asks b on connections of direct.
func directly(t testing.TB, b *backend) (*direct, func(ctx context.Context, method string) (*http.Response, error)) {
	t.Helper()
	d := newDirect(Config{Name: "rooms", Endpoints: urls(b)}.withDefaults())
	t.Cleanup(d.closeIdle)
	return d, func(ctx context.Context, method string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, method, urls(b)[0]+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		return d.RoundTrip(r)
	}
}

// TestAKeptConnectionThatEndedCostsNoRequest: the endpoint has closed it, and
// whatever the method nothing was sent there.
func TestAKeptConnectionThatEndedCostsNoRequest(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 1)
	b := script(t, func(p *peer) {
		p.next()
		p.say(ok)
		_ = p.Close()
		ended <- struct{}{}
	})
	_, ask := directly(t, b)
	for range 5 {
		res, err := ask(t.Context(), "DELETE")
		if err != nil {
			t.Fatal(err)
		}
		want(t, "body", text(t, res), "ok")
		<-ended
	}
	want(t, "connections", b.conns.Load(), 5)
}

// TestARequestIsRepeatedOnlyWhereNothingWasDone has the endpoint end a kept
// connection when it has read the second request.
func TestARequestIsRepeatedOnlyWhereNothingWasDone(t *testing.T) {
	t.Parallel()
	for method, hits := range map[string]int{"GET": 3, "HEAD": 3, "DELETE": 2, "PUT": 2} {
		b := script(t, func(p *peer) {
			p.next()
			p.say("HTTP/1.1 204 No Content\r\n\r\n")
			if p.b.hits.Load() == 1 {
				p.next()
			}
		})
		_, ask := directly(t, b)
		if _, err := ask(t.Context(), method); err != nil {
			t.Fatal(err)
		}
		_, err := ask(t.Context(), method)
		want(t, method+": it was answered", err == nil, hits == 3)
		want(t, method+": requests", b.hits.Load(), hits)
	}
}

func TestAnExchangeThatIsEndedTellsWhyAndItsConnectionIsNotKept(t *testing.T) {
	t.Parallel()
	why := errors.New("enough")
	for name, says := range map[string]string{
		"before the answer": "", "in its head": "HTTP/1.1 200 OK\r\nX:", "in its body": "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha",
	} {
		said := make(chan struct{}, 1)
		b := script(t, func(p *peer) {
			p.next()
			p.say(says)
			said <- struct{}{}
			p.untilGone()
		})
		d, ask := directly(t, b)
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { <-said; cancel(why) }()
		res, err := ask(ctx, "GET")
		if err == nil {
			_, err = io.ReadAll(res.Body)
			if _, again := res.Body.Read(make([]byte, 1)); !errors.Is(again, why) {
				t.Errorf("%s: read again it says %v", name, again)
			}
		}
		want(t, name+": it ended with", err, why)
		want(t, name+": kept", len(d.lines[b.addr].idle), 0)
	}
}

// TestALateEndDoesNotMeetTheNextRequest: the context of an exchange ends when its
// answer was read, and the connection serves another.
func TestALateEndDoesNotMeetTheNextRequest(t *testing.T) {
	t.Parallel()
	b := script(t, always(ok))
	_, ask := directly(t, b)
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		res, err := ask(ctx, "GET")
		if err != nil {
			t.Fatal(err)
		}
		go cancel() // at any time from here on
		body, err := io.ReadAll(res.Body)
		if err == nil && string(body) != "ok" || err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("%q %v", body, err)
		}
		if res, err = ask(t.Context(), "GET"); err != nil {
			t.Fatalf("the end of another exchange ended this one: %v", err)
		}
		want(t, "body", text(t, res), "ok")
	}
}

func TestABodyThatWasClosedTakesNothingFromTheNext(t *testing.T) {
	t.Parallel()
	b := script(t, always(ok))
	d, ask := directly(t, b)
	first, err := ask(t.Context(), "GET")
	if err != nil {
		t.Fatal(err)
	}
	_ = first.Body.Close()
	want(t, "a connection with a body unread is kept", len(d.lines[b.addr].idle), 0)
	second, err := ask(t.Context(), "GET")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := first.Body.Read(make([]byte, 2)); n > 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the closed body gave %d octets, %v", n, err)
	}
	_ = first.Body.Close()
	want(t, "body", text(t, second), "ok")
	want(t, "kept", len(d.lines[b.addr].idle), 1)
}

func TestAnEndlessHeadIsCutOff(t *testing.T) {
	t.Parallel()
	b := script(t, func(p *peer) {
		p.next()
		p.say("HTTP/1.1 200 OK\r\n")
		for range 1 << 12 {
			p.say("X-Name: " + repeat("x", 100) + "\r\n")
		}
		p.untilGone()
	})
	_, ask := directly(t, b)
	_, err := ask(t.Context(), "GET")
	want(t, "error", err, errLongHead)
}

func TestFieldsThatAreNotWhatWasMeantAreNotSent(t *testing.T) {
	t.Parallel()
	b := script(t, always(ok))
	d, _ := directly(t, b)
	for name, value := range map[string]string{"X": "a\r\nY: b", "X Y": "a", "": "a", "Z": "\x00", "A": "\x7f"} {
		r, err := http.NewRequest("GET", urls(b)[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{name: {value}}
		if _, err := d.RoundTrip(r); err == nil {
			t.Errorf("%q: %q was sent", name, value)
		}
	}
	want(t, "connections", b.conns.Load(), 0)
}

// TestMoreRequestsThanPlacesWait within their own time.
func TestMoreRequestsThanPlacesWait(t *testing.T) {
	t.Parallel()
	b := script(t, always(ok))
	d, ask := directly(t, b)
	d.lines[b.addr].places = make(chan struct{}, 1)
	first, err := ask(t.Context(), "GET")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = ask(ctx, "GET")
	want(t, "without a place, and time", err, context.Canceled)
	done := make(chan error)
	go func() {
		_, err := ask(t.Context(), "HEAD")
		done <- err
	}()
	want(t, "body", text(t, first), "ok")
	want(t, "with the place of the first", <-done, nil)
	want(t, "connections", b.conns.Load(), 1)
}

// TestAnIdleConnectionIsClosed before the endpoint would do so.
func TestAnIdleConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(nil, &url.URL{Host: "a:1"})
		var closed atomic.Int32
		put := func() {
			ours, theirs := net.Pipe()
			go func() {
				_, _ = io.Copy(io.Discard, theirs)
				closed.Add(1)
			}()
			l.places <- struct{}{}
			l.give(newWire(l, ours), true)
		}
		put()
		time.Sleep(idleTimeout / 4)
		put()
		time.Sleep(idleTimeout / 2)
		synctest.Wait()
		want(t, "closed before its time", closed.Load(), 0)
		time.Sleep(idleTimeout)
		synctest.Wait()
		want(t, "closed in its time", closed.Load(), 2)
		put()
		l.closeIdle()
		synctest.Wait()
		want(t, "closed when it is not wanted", closed.Load(), 3)
		for range maxIdle + 1 {
			put()
		}
		synctest.Wait()
		want(t, "closed beyond maxIdle", closed.Load(), 4)
		l.closeIdle()
		time.Sleep(idleTimeout) // the timer ends
	})
}

// TestHooksAreCalledAsByTheTransport: an exchange counts by them.
func TestHooksAreCalledAsByTheTransport(t *testing.T) {
	t.Parallel()
	b := script(t, func(p *peer) {
		for p.next() != nil {
			p.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok)
		}
	})
	_, ask := directly(t, b)
	for range 2 {
		var said []string
		say := func(s string) { said = append(said, s) }
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GetConn: func(string) { say("get") }, GotConn: func(httptrace.GotConnInfo) { say("got") }, WroteRequest: func(httptrace.WroteRequestInfo) { say("wrote") },
			Got1xxResponse: func(int, textproto.MIMEHeader) error { say("hint"); return nil },
		})
		res, err := ask(ctx, "GET")
		if err != nil {
			t.Fatal(err)
		}
		want(t, "body", text(t, res), "ok")
		want(t, "hooks", said, "[get got wrote hint]")
	}
	want(t, "connections", b.conns.Load(), 1)
}
